"""The command that compares engines for a run's network."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from axnn.cli.app import cli
from axnn.cli.notes import warn_on_stderr
from axnn.cli.options import PricesOption, RunOption
from axnn.exploration import Candidate, Exploration, Limits, Space, explore, pareto_front
from axnn.exploration.candidates import OBJECTIVES
from axnn.exploration.exact import with_exact_areas
from axnn.flow.run_folder import RunFolder
from qcnpe.command_line import parse_numbers
from qcnpe.options import (
    JsonOption,
    ProcessesOption,
    QuietOption,
    SchedulerOption,
    Top,
    TopOption,
)
from qcnpe.prices import EnergyPrices
from qcnpe.spec.documents import encode_document
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.files import replace_text
from qcnpe.spec.fpga import BOARD_SIZES
from qcnpe.tasks import Workplace
from qcnpe.terminal import show, show_progress

_MARKS = {"yes": "", "unknown": "?"}
"""What follows the name of a board that an engine fits, or may fit."""


@cli.command(
    name="explore",
    epilog="Example: axnn explore --run build/digits --rows 4,8,16 --cols 4,8,16,32"
    " --objective energy --limit area_um2=300000",
)
def explore_command(
    run: RunOption,
    rows: Annotated[str, typer.Option(help="Numbers of rows, separated by commas.")] = "4,8,16",
    cols: Annotated[str, typer.Option(help="Numbers of columns.")] = "4,8,16",
    precisions: Annotated[
        str, typer.Option(help="Sets of operand widths, separated by semicolons.")
    ] = "16,8,4,2",
    ncu: Annotated[
        str, typer.Option(help="Kinds of neural compute unit (NCU).")
    ] = "fused,gated,plain16",
    bound: Annotated[
        list[float] | None,
        typer.Option(help="Approximate under this bound, too; may be repeated."),
    ] = None,
    top: TopOption = Top.STREAM,
    objective: Annotated[
        str, typer.Option(help=f"What the front is sorted by: {', '.join(OBJECTIVES)}.")
    ] = "energy",
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Largest value of a cost, such as area_um2=300000, cycles=2000, energy_pj=900,"
            " loss_points=1; may be repeated."
        ),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Synthesise the engines of the front.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write all candidates here (.csv or .json).")
    ] = None,
    prices: PricesOption = None,
    processes: ProcessesOption = 1,
    scheduler: SchedulerOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare engines and operating points for a network: energy, cycles, area, accuracy."""
    if objective not in OBJECTIVES:
        raise ConfigError(f"objective must be one of {', '.join(OBJECTIVES)}, not {objective!r}")
    limits = Limits.parse(limit or [])
    space = _space(rows, cols, precisions, ncu)
    where = Workplace(workers=processes, scheduler=scheduler)
    where.check()
    with show_progress("exploring", quiet=quiet or as_json) as update:

        def tell(done: int, total: int, note: str) -> None:
            update(done, f"of {total}: {note}")

        found = explore(
            RunFolder(run),
            space,
            EnergyPrices.load(prices),
            bounds=bound or [],
            autonomous=top is Top.AUTONOMOUS,
            where=where,
            progress=tell,
        )
        front = pareto_front([each for each in found.candidates if limits.allow(each)], objective)
        if exact:
            front = with_exact_areas(front, where, tell)
    if found.candidates and not front:
        least = limits.least(found.candidates)
        warn_on_stderr(quiet=quiet)(f"no candidate is within the limits; at least: {least}")
    if out is not None:
        _write(out, found.candidates)
    document = _document(objective, found, front)
    show(front_table(front, len(found.candidates)), document, quiet=quiet, as_json=as_json)


def _document(objective: str, found: Exploration, front: Sequence[Candidate]) -> dict[str, Any]:
    """The result as JSON."""
    return {
        "objective": objective,
        "candidates": len(found.candidates),
        "left_out": [asdict(each) for each in found.left_out],
        "front": [_row(each) for each in front],
    }


def _space(rows: str, cols: str, precisions: str, ncu: str) -> Space:
    """The engines of the options."""
    return Space(
        rows=parse_numbers("rows", rows),
        cols=parse_numbers("cols", cols),
        precisions=tuple(parse_numbers("precisions", part) for part in precisions.split(";")),
        ncus=tuple(ncu.split(",")),
    )


def _row(candidate: Candidate) -> dict[str, Any]:
    """A candidate, with the boards that its engine fits."""
    return {**asdict(candidate), "boards": candidate.boards}


def _write(out: Path, candidates: Sequence[Candidate]) -> None:
    """Write all candidates as a table (CSV), or as JSON."""
    rows = [_row(each) for each in candidates]
    if out.suffix != ".csv":
        replace_text(out, encode_document({"candidates": rows}, indent=1) + "\n")
        return
    text = io.StringIO()
    boards = {f"fits_{name}": name for name in BOARD_SIZES}
    columns = [*Candidate.__dataclass_fields__, *boards]
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        widths = "/".join(map(str, row["precisions"]))
        fits = {column: row["boards"][name] for column, name in boards.items()}
        writer.writerow({**row, "precisions": widths, **fits})
    replace_text(out, text.getvalue())


_COLUMNS: tuple[tuple[str, bool, Callable[[Candidate], str]], ...] = (
    ("array", False, lambda each: f"{each.rows} x {each.cols}"),
    ("NCU", False, lambda each: each.ncu),
    ("widths", False, lambda each: "/".join(map(str, each.precisions))),
    ("point", False, lambda each: each.point),
    ("pJ", True, lambda each: f"{each.energy_pj:,.0f}"),
    ("cycles", True, lambda each: f"{each.cycles:,.1f}"),
    ("um2", True, lambda each: f"{each.area_um2:,.0f}"),
    ("right", True, lambda each: f"{each.accuracy:.2%}"),
    ("loss", True, lambda each: f"{each.loss_points:.2f}"),
    ("kB", True, lambda each: _number(each.memory_bits, 8000, 1)),
    ("side pJ", True, lambda each: _number(each.side_pj)),
    ("side um2", True, lambda each: _number(each.side_um2)),
    ("boards", False, lambda each: _boards(each)),
)
"""Headings of the front's table, whether they are of numbers, and what is shown."""

_OF_MEMORIES = ("kB", "side pJ", "side um2")
"""Headings of what only autonomous engines have."""


def front_table(front: Sequence[Candidate], candidates: int) -> Table:
    """The Pareto front; a kind or widths that all engines share are in the caption."""
    memories = any(each.memory_bits is not None for each in front)
    columns = [column for column in _COLUMNS if memories or column[0] not in _OF_MEMORIES]
    rows = [[show_cell(each) for _, _, show_cell in columns] for each in front]
    shared = {
        index: values.pop()
        for index, (heading, _, _) in enumerate(columns)
        if heading in ("NCU", "widths")
        for values in [{row[index] for row in rows}]
        if len(values) == 1
    }
    table = Table(
        title=f"{len(front)} of {candidates} candidates that no other beats",
        caption=_caption(list(shared.values()), memories),
    )
    for index, (heading, is_number, _) in enumerate(columns):
        if index not in shared:
            table.add_column(heading, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(text for index, text in enumerate(row) if index not in shared))
    return table


def _caption(shared: Sequence[str], memories: bool) -> str:
    """What the columns of the table are."""
    begin = f"All: {', '.join(shared)}. " if shared else ""
    return (
        f"{begin}Energy and cycles of a sample, area of the cells, share of validation samples that"
        " are right, percentage points less than the exact network"
        + (
            ", memories that hold the network, energy and area of the memory side"
            if memories
            else ""
        )
        + ", FPGA boards that the engine fits (?: unknown)"
    )


def _number(value: float | None, unit: int = 1, digits: int = 0) -> str:
    """A number in some unit, or that it is not known."""
    return "?" if value is None else f"{value / unit:,.{digits}f}"


def _boards(candidate: Candidate) -> str:
    """The boards that an engine fits, by the first part of their names."""
    found = candidate.boards.items()
    return " ".join(name.partition("_")[0] + _MARKS[fits] for name, fits in found if fits in _MARKS)
