"""Characterises all cells in parallel and writes the Liberty and Verilog files.

Run with `python -m synth.library.characterize --out synth/tech/axnn45.lib`.
"""

import ast
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from qcnpe.command_line import command
from qcnpe.options import SchedulerOption
from qcnpe.spec.documents import read_document, write_document
from qcnpe.spec.files import replace_text
from qcnpe.tasks import Workplace, run_tasks
from qcnpe.terminal import Console, Progress
from synth.library.cells import Cell, library
from synth.library.characterize_cell import (
    CONSTRAINT_SLEWS_PS,
    FULL_LOAD_FF,
    LOAD_FRACTIONS,
    SLEWS_PS,
    characterize,
)
from synth.library.liberty_writer import write_liberty
from synth.library.models import SHA256, cache_folder, model_file
from synth.library.spice import simulator_version
from synth.library.tables import CellTables
from synth.library.technology import TECHNOLOGY
from synth.library.verilog import write_verilog

MEASURING_MODULES = ("measure", "constraints", "characterize_cell", "spice", "walk", "tables")
DEFAULT_OUT = Path(__file__).parent.parent / "tech" / "axnn45.lib"


def design_hash() -> str:
    """SHA-256 of the library's sources: netlists, table points, operating point, models."""
    digest = hashlib.sha256()
    for cell in library().values():
        digest.update(cell.spice().encode())
    digest.update(_settings().encode())
    return digest.hexdigest()


def _settings() -> str:
    return repr((TECHNOLOGY, SLEWS_PS, CONSTRAINT_SLEWS_PS, LOAD_FRACTIONS, FULL_LOAD_FF, SHA256))


def provenance() -> str:
    """One line on how the file was made."""
    return (
        f"axnn45 standard cells, typical, {TECHNOLOGY.vdd_v} V, {TECHNOLOGY.temperature_c:g} C; "
        f"made by synth.library.characterize with {simulator_version()} from the FreePDK45 models "
        f"freepdk45_nom.spi (Apache-2.0, SHA-256 {SHA256}); design SHA-256 {design_hash()}"
    )


def cache_name(cell: Cell) -> str:
    """Name of a cell's cached results, with a hash of its netlist, the method and the simulator."""
    digest = hashlib.sha256(cell.spice().encode())
    digest.update((_settings() + simulator_version() + repr(cell.preamble) + cell.kind).encode())
    for module in MEASURING_MODULES:
        source = (Path(__file__).parent / f"{module}.py").read_text()
        digest.update(ast.dump(ast.parse(source)).encode())
    return f"{cell.name}-{digest.hexdigest()[:16]}.json"


def cached(name: str, folder: Path) -> CellTables:
    """A cell's tables, from the cache if it has been measured before."""
    cell = library()[name]
    path = folder / cache_name(cell)
    if not path.exists():
        write_document(path, characterize(cell))
    return read_document(path, CellTables)


def _measure(folder: Path, name: str, tell: Callable[[str], None]) -> CellTables:
    return cached(name, folder)


def characterize_all(names: list[str], folder: Path, where: Workplace) -> dict[str, CellTables]:
    """Characterise the named cells, slowest first, with a progress bar."""
    cells = library()
    order = sorted(
        names, key=lambda n: (cells[n].kind == "logic", -len(cells[n].network.transistors))
    )
    done: dict[str, CellTables] = {}
    with Progress() as bar:
        task = bar.add_task("cells", total=len(names))
        for index, tables in run_tasks(_measure, folder, order, where):
            done[order[index]] = tables
            bar.advance(task)
    return done


def main(
    out: Annotated[
        Path, typer.Option(help="Liberty file to write; the .v is written beside it")
    ] = DEFAULT_OUT,
    jobs: Annotated[int, typer.Option(help="processes; 0: one for each core")] = 0,
    scheduler: SchedulerOption = None,
    fresh: Annotated[bool, typer.Option(help="ignore cached results")] = False,
) -> None:
    """Characterise the library."""
    folder = cache_folder() / "cells"
    with command("characterize"):
        simulator_version()
        model_file()
        if fresh:
            for path in folder.glob("*.json"):
                path.unlink()
        names = list(library())
        where = Workplace(workers=jobs or os.cpu_count() or 1, scheduler=scheduler)
        tables = characterize_all(names, folder, where)
        pairs = [(library()[n], tables[n]) for n in names]
        replace_text(out, write_liberty(pairs, provenance()))
        replace_text(out.with_suffix(".v"), write_verilog([c for c, _ in pairs]))
    Console().print(f"{len(names)} cells written to {out}")


if __name__ == "__main__":
    typer.run(main)
