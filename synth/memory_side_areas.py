"""Measures what the model of memory sides is fitted to: `python -m synth.memory_side_areas`.

Memory sides of several sizes are mapped, and then others, which say how far the model is off. All
of them take about ten minutes of processor time.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qcnpe.command_line import command
from qcnpe.side_area import FILE, SideArea, SideAreaModel
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.results import package_versions
from qcnpe.terminal import Console, Progress
from synth.flow import own_cells
from synth.memory_side import measure

TABLE = Path(__file__).with_name(FILE)
"""The committed file."""

COMMAND = "python -m synth.memory_side_areas"

FITTED = (
    (2, 2),
    (4, 4),
    (4, 16),
    (8, 4),
    (8, 8),
    (8, 16),
    (16, 4),
    (16, 8),
    (32, 8),
    (32, 32),
)
"""Rows and columns of the engines that the model is fitted to."""

CHECKED = ((6, 12), (12, 6), (16, 16))
"""Those of others."""


def document_of(fitted: Sequence[SideArea], checked: Sequence[SideArea]) -> dict[str, Any]:
    """The file's document."""
    return {
        "command": COMMAND,
        "library": own_cells().name,
        "versions": package_versions(("amaranth", "pyosys")),
        "fitted": [asdict(each) for each in fitted],
        "checked": [asdict(each) for each in checked],
    }


def main() -> None:
    """Measure, and print how far the model is off."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE)
    out = parser.parse_args().out
    with command("memory_side_areas"):
        found = []
        with Progress() as bar:
            task = bar.add_task("memory sides", total=len(FITTED) + len(CHECKED))
            for rows, cols in (*FITTED, *CHECKED):
                config = MemoryConfig.default(EngineConfig(rows=rows, cols=cols))
                area_um2 = measure(config, lambda part: None)["um2"]
                found.append(SideArea(rows=rows, cols=cols, area_um2=area_um2))
                bar.advance(task)
        document = document_of(found[: len(FITTED)], found[len(FITTED) :])
        write_document(out, document, indent=1)
        for each, error in SideAreaModel.load(out).errors():
            Console().print(f"{each.rows} x {each.cols}: {error:+.2%}")


if __name__ == "__main__":
    main()
