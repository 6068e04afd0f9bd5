"""Estimates of engines on FPGAs, compared with the engines that were built."""

import json
from pathlib import Path

import pytest

from qcnpe.boards.catalog import BOARDS
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.fpga import BOARD_SIZES, Fit, fits

FIGURES = json.loads((Path(__file__).parents[3] / "results" / "fpga.json").read_text())["figures"]
BUILDS = [
    (board, prefix)
    for board in BOARD_SIZES
    for prefix in (board, f"{board}.2x2.dsp")
    if f"{prefix}.luts" in FIGURES
]


def test_sizes_are_of_boards():
    assert set(BOARD_SIZES) <= set(BOARDS)
    assert len(BUILDS) == 6


@pytest.mark.parametrize(("board", "prefix"), BUILDS)
def test_engines_that_were_built(board, prefix):
    rows, cols, luts, multipliers = (
        FIGURES[f"{prefix}.{name}"] for name in ("rows", "cols", "luts", "multipliers")
    )
    size = BOARD_SIZES[board]
    assert size.estimated_luts(rows) == pytest.approx(luts, rel=0.03)
    assert size.counted_multipliers(rows, cols) == multipliers
    engine = EngineConfig(rows=rows, cols=cols, precisions=size.precisions)
    assert fits(engine)[board] is Fit.YES


@pytest.mark.parametrize(
    ("rows", "cols", "ncu", "precisions", "expected"),
    [
        (9, 8, "fused", (16, 8, 4, 2), ("yes", "no", "no")),  # 144 + 9 + 2 multipliers of 156
        (9, 9, "dsp", (16, 8, 4, 2), ("no", "no", "no")),  # 173 multipliers
        (2, 8, "dsp", (16, 8), ("yes", "unknown", "no")),  # 18 multipliers of 8
        (7, 10, "dsp", (16, 8, 4, 2), ("unknown", "no", "no")),
        (2, 2, "fused", (16, 8, 4, 2), ("yes", "yes", "unknown")),
        (3, 2, "fused", (16,), ("yes", "yes", "no")),
        (2, 2, "gated", (16,), ("unknown",) * 3),
    ],
)
def test_engines_that_were_not_built(rows, cols, ncu, precisions, expected):
    engine = EngineConfig(rows=rows, cols=cols, ncu=ncu, precisions=precisions)
    assert tuple(each.value for each in fits(engine).values()) == expected
