"""Cells and tables in Markdown, and the figures that they show."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

Figures = Mapping[str, float]


def read_figures(name: str) -> Figures:
    """The figures of one result file, by key."""
    document = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return dict(document["figures"])


def read_prices(name: str = "energy_45nm") -> Figures:
    """Energy of each event in pJ, by name, from a file of prices."""
    document = json.loads((ROOT / "synth" / f"{name}.json").read_text(encoding="utf-8"))
    return dict(document["pj"])


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "".join(_line(cells) for cells in (head, ["---"] * len(head), *rows))


def _line(cells: Sequence[str]) -> str:
    return f"|{''.join(f' {cell} |' if cell else ' |' for cell in cells)}\n"


def error_cells(figures: Figures, prefix: str, units: Sequence[str]) -> list[list[str]]:
    """Errors of counts times prices: of the whole and of each unit, a row for a width."""
    return [
        [
            f"{width} bit",
            f"{figures[f'{prefix}_{width}b']:+.1%}",
            *(f"{figures[f'{prefix}_{width}b_{unit}']:+.0%}" for unit in units),
        ]
        for width in (16, 8, 4, 2)
    ]


def times(figures: Figures, key: str) -> str:
    """A saving: how many times less."""
    return f"{figures[key]:.2f} x"


def percent(figures: Figures, key: str, digits: int = 2) -> str:
    """An accuracy, which the file holds in percent."""
    return f"{figures[key]:.{digits}f} %"
