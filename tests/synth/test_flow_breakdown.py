"""The figure of the array's energy: no part is missing; the file depends only on the numbers."""

import json
from pathlib import Path

import pytest

from synth.breakdown import draw, grouped
from synth.energy_table import RESULTS

WIDTHS = (16, 8, 4, 2)


def parts_of_results(width: int) -> dict[str, float]:
    """Parts of the array's energy among the committed figures."""
    figures = json.loads(RESULTS.read_text())["figures"]
    prefix, suffix = f"array_{width}b_", "_fj_per_ncu_cycle"
    return {
        name.removeprefix(prefix).removesuffix(suffix): value
        for name, value in figures.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_no_part_of_the_results_is_lost(width: int) -> None:
    parts = parts_of_results(width)
    assert len(parts) >= 11
    assert sum(grouped(parts).values()) == pytest.approx(sum(parts.values()))


def test_the_same_numbers_draw_the_same_file(tmp_path: Path) -> None:
    arrays = {width: parts_of_results(width) for width in WIDTHS}
    for name in ("one.png", "two.png"):
        draw(arrays, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    draw({16: arrays[16]}, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()
