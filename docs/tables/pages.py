"""The Markdown files with tables, and how the tables get into them.

A file marks the place of a table by two comments; what stands between them is generated:

    <!-- table: applications -->
    <!-- end of table -->
"""

import re
from collections.abc import Callable
from pathlib import Path

from docs.tables import applications, cpu, hardware
from docs.tables.cells import ROOT

_MARK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

TABLES: dict[str, Callable[[], str]] = {
    "applications": applications.applications,
    "board-kinds": hardware.board_kinds,
    "boards": hardware.boards,
    "choices": applications.choices,
    "cpu": cpu.cpu,
    "dropout": applications.dropout,
    "edges": applications.edges,
    "engine": hardware.engine,
    "ncu-energy": hardware.ncu_energy,
    "ordering": applications.ordering,
    "overfitting": applications.overfitting,
    "savings": applications.savings,
    "seeds": applications.seeds,
}
"""Every table by the name that the files call it by."""


def pages() -> list[Path]:
    """The Markdown files that hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fill(text: str) -> str:
    """The text with every marked table made anew; KeyError for a name that is unknown."""
    return _MARK.sub(lambda mark: f"{mark[1]}\n{TABLES[mark[2]]()}\n{mark[3]}", text)
