"""The Markdown files with generated tables.

A file marks the place of a table by two comments; the text between them is generated:

    <!-- table: applications -->
    <!-- end of table -->
"""

import re
from collections.abc import Callable
from pathlib import Path

from docs.tables import applications, cpu, frontend, hardware, memory
from docs.tables.cells import ROOT

_MARK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

TABLES: dict[str, Callable[[], str]] = {
    "ablation": applications.ablation,
    "applications": applications.applications,
    "board-kinds": hardware.board_kinds,
    "board-pictures": hardware.board_pictures,
    "boards": hardware.boards,
    "choices": applications.choices,
    "cost": applications.cost,
    "cpu": cpu.cpu,
    "dropout": applications.dropout,
    "edges": applications.edges,
    "engine": hardware.engine,
    "engine-check": hardware.engine_check,
    "event-prices": hardware.event_prices,
    "foreign-networks": frontend.foreign_networks,
    "memory-arrays": memory.memory_arrays,
    "memory-check": memory.memory_check,
    "memory-networks": memory.memory_networks,
    "memory-prices": memory.memory_prices,
    "memory-side-energy": memory.memory_side_energy,
    "memory-words": memory.memory_words,
    "ncu-energy": hardware.ncu_energy,
    "ordering": applications.ordering,
    "overfitting": applications.overfitting,
    "random-networks": memory.random_networks,
    "savings": applications.savings,
    "seeds": applications.seeds,
    "system-energy": memory.system_energy,
    "uniform": applications.uniform,
    "wire-band": hardware.wire_band,
}
"""Every table, by its name in the files."""


def pages() -> list[Path]:
    """The Markdown files that hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fill(text: str) -> str:
    """The text with every marked table generated again; KeyError for an unknown name."""
    return _MARK.sub(lambda mark: f"{mark[1]}\n{TABLES[mark[2]]()}\n{mark[3]}", text)
