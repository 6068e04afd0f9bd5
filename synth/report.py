"""Runs a synthesis with a progress bar; makes a table, and a JSON file beside the netlists."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import package_versions
from qcnpe.terminal import Console, Progress
from qcnpe.tools.lock import only_writer
from synth.energy_table import TABLE
from synth.flow import SynthesisReport, choose_cells, synthesize
from synth.gatesim import simulator
from synth.mapping import LibertyCells
from synth.ncu_table import NcuTable, measure_table
from synth.overheads import in_words, overheads_percent

REPORT = "synth.json"
"""Name of the report's file in the output folder."""

NCUS = "ncus.json"
"""Name of the file with the figures of all kinds of neural compute units (NCUs)."""

NETLISTS = "netlists"
"""Name of the subfolder with a netlist of each unit, as Verilog and as JSON."""


def run(
    config: EngineConfig,
    folder: Path,
    liberty: Sequence[Path] = (),
    quick: bool = False,
    console: Console | None = None,
    *,
    root_gates: bool = False,
) -> SynthesisReport:
    """Synthesise an engine with a progress bar; write `synth.json`; print remarks.

    Parameters
    ----------
    config : the engine
    folder : for the report and, below `netlists`, the netlists
    liberty : files of the cell library, by default our own
    quick : less effort in optimisation, for a first look
    console : for the progress bar
    root_gates : gate the clock at the root of each unit

    Raises
    ------
    LibertyError
        If the library is missing or unusable.
    SynthesisError
        If the folder cannot be written or Yosys stops.
    BusyError
        If another synthesis writes to the folder.
    """
    with (
        only_writer(folder),
        TemporaryDirectory(prefix=".netlists-", dir=folder) as scratch,
        Progress(console=console, transient=True) as bar,
    ):
        task = bar.add_task("reading the engine", total=None)

        def step(name: str, done: int, total: int) -> None:
            bar.update(task, description=f"mapped {name}", completed=done, total=total)

        made = Path(scratch, NETLISTS)
        report = synthesize(
            config, made, liberty, quick=quick, progress=step, root_gates=root_gates
        )
        # The whole folder is replaced, so that no netlist of an earlier engine remains.
        if (folder / NETLISTS).exists():
            (folder / NETLISTS).rename(Path(scratch, "earlier"))
        made.rename(folder / NETLISTS)
        write_document(folder / REPORT, as_json(report), indent=1)
    return report


def run_ncus(
    folder: Path,
    liberty: Sequence[Path],
    console: Console | None = None,
    *,
    root_gates: bool = False,
) -> NcuTable | None:
    """Measure all kinds of NCUs in a library with a progress bar; write `ncus.json`.

    None if the library has no delays: then nothing can be simulated.

    Parameters
    ----------
    folder : for the file
    liberty : files of the cell library, by default our own
    console : for the progress bar
    root_gates : gate the clock at the root of each NCU

    Raises
    ------
    LibertyError
        If the library is missing or unusable.
    SynthesisError
        If the folder cannot be written or Yosys stops.
    BusyError
        If another synthesis writes to the folder.
    """
    cells = choose_cells(liberty, root_gates=root_gates)
    if not isinstance(cells, LibertyCells) or not cells.library.is_timed:
        return None
    simulator()  # needed only after minutes of mapping
    with only_writer(folder), Progress(console=console, transient=True) as bar:
        task = bar.add_task("measuring NCUs", total=None)
        table = measure_table(cells, lambda done: bar.update(task, description=done))
        write_document(folder / NCUS, table.as_json(), indent=1)
    return table


def _overheads(report: SynthesisReport) -> dict[str, dict[str, float]]:
    """Overheads over plain16 of the committed figures; none in another library than theirs."""
    table = json.loads(TABLE.read_text())
    if report.library != table["provenance"]["library"]:
        return {}
    return overheads_percent(table["ncu_16b"])


def as_json(report: SynthesisReport) -> dict[str, Any]:
    """The report, for a JSON document."""
    return {
        "config": asdict(report.config),
        "library": report.library,
        "area_um2": round(report.area_um2, 1),
        "cells": report.cell_count,
        "flipflops": report.flipflops,
        "units": [
            {
                "name": unit.name,
                "places": unit.places,
                "area_um2": round(unit.area_um2, 3),
                "flipflops": unit.flipflops,
                "cells": dict(unit.cells),
            }
            for unit in report.units
        ],
        "over_plain16_at_16_bits_percent": _overheads(report),
        "notes": list(report.notes),
        "seconds": round(report.seconds, 1),
        "versions": package_versions(("amaranth", "pyosys")),
    }


def render(report: SynthesisReport) -> Table:
    """Area by unit as a table; below it the overheads over plain16 and the notes."""
    config = report.config
    title = f"{config.rows} x {config.cols} NCUs ({config.ncu}), {report.library}"
    overheads = _overheads(report)
    lines = [f"{in_words(overheads)}, own 45 nm cells"] if overheads else []
    caption = "\n".join((*lines, *report.notes))
    table = Table(title=title, caption=caption, show_footer=True)
    table.add_column("unit", "total")
    for header, total in (
        ("places", ""),
        ("cells each", f"{report.cell_count:,} in all"),
        ("flip-flops each", f"{report.flipflops:,} in all"),
        ("area each, um2", ""),
        ("area, um2", f"{report.area_um2:,.0f}"),
        ("share", "100 %"),
    ):
        table.add_column(header, total, justify="right")
    for unit in report.units:
        if not unit.cell_count:
            continue
        table.add_row(
            unit.name,
            f"{unit.places}",
            f"{unit.cell_count:,}",
            f"{unit.flipflops:,}",
            f"{unit.area_um2:,.1f}",
            f"{unit.total_um2:,.0f}",
            f"{unit.total_um2 / report.area_um2:.1%}",
        )
    return table
