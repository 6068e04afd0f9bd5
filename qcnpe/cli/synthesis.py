"""The commands that synthesise engines, for chips and for boards: synth, bitstream, program."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.progress import TimeElapsedColumn

from qcnpe.boards.catalog import BOARDS, find_board
from qcnpe.cli.app import cli
from qcnpe.cli.options import (
    ALL_PRECISIONS,
    ColsOption,
    NcuOption,
    PrecisionsOption,
    RowsOption,
    engine_config,
)
from qcnpe.options import JsonOption, QuietOption
from qcnpe.spec.errors import QcnpeError
from qcnpe.terminal import Console, PlainColumn, Progress, plain_table, show


@cli.command(epilog="Example: qcnpe synth --rows 4 --cols 4 --out build/synth")
def synth(
    rows: RowsOption = 16,
    cols: ColsOption = 16,
    precisions: PrecisionsOption = ALL_PRECISIONS,
    ncu: NcuOption = "fused",
    liberty: Annotated[
        list[Path] | None,
        typer.Option(
            help="Liberty file; repeat it for a library in several. Default: our own 45 nm cells."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Map with less effort, for a first estimate.")
    ] = False,
    root_gates: Annotated[
        bool, typer.Option("--root-gates", help="Gate the clock at the root of each unit, too.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("build/synth"),
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Synthesise an engine: area by unit; in another library, energy and timing of NCUs, too."""
    from synth import report

    config = engine_config(rows, cols, precisions, ncu)
    console = Console(stderr=True, quiet=quiet or as_json)
    files, gates = liberty or (), {"root_gates": root_gates}
    found = report.run(config, out, liberty=files, quick=quick, console=console, **gates)
    measures = (files or root_gates) and not quick
    ncus = report.run_ncus(out, files, console, **gates) if measures else None
    document = report.as_json(found) | ({"ncus": ncus.as_json()} if ncus else {})
    show(report.render(found), document, quiet=quiet, as_json=as_json)
    if ncus and not quiet and not as_json:
        Console().print(ncus.render())


BoardArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(BOARDS)}.")]
BoardsOption = Annotated[Path, typer.Option(help="Folder of the builds.")]


@cli.command(epilog="Example: qcnpe bitstream icebreaker")
def bitstream(
    board: BoardArgument,
    rows: Annotated[int | None, typer.Option(help="Rows; default: the board's.")] = None,
    cols: Annotated[int | None, typer.Option(help="Columns; default: the board's.")] = None,
    ncu: Annotated[
        str | None, typer.Option(help="Kind of neural compute unit; default: the board's.")
    ] = None,
    out: BoardsOption = Path("build/boards"),
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build the bitstream of a board, with open tools."""
    from qcnpe.boards.build import build

    chosen = find_board(board).with_engine(rows=rows, cols=cols, ncu=ncu)
    console = Console(stderr=True, quiet=quiet or as_json)
    with _steps(board, console) as begin:
        made = build(chosen, out / board, on_step=begin)
    engine = chosen.link.engine
    table = plain_table(
        f"{chosen.title}: {engine.rows} x {engine.cols} NCUs ({engine.ncu})",
        ("bitstream", str(made.bitstream)),
        ("clock", f"{made.clock_mhz:.1f} MHz; up to {made.fmax_mhz:.1f} MHz would do"),
        ("LUTs", f"{made.luts:,}"),
        ("multipliers", f"{made.multipliers:,}"),
        ("block RAMs", f"{made.block_rams:,}"),
    )
    document = {**asdict(made), "bitstream": str(made.bitstream)}
    show(table, document, quiet=quiet, as_json=as_json)


@cli.command(epilog="Example: qcnpe program icebreaker")
def program(
    board: BoardArgument,
    out: BoardsOption = Path("build/boards"),
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load a board's bitstream into the board."""
    from qcnpe.boards.build import read_report
    from qcnpe.boards.program import program as load

    chosen = find_board(board)
    if not (out / board / "finished").is_file():
        raise QcnpeError(f"{out / board}: no bitstream; run `qcnpe bitstream {board}` first")
    bitstream = str(read_report(out / board, chosen.family).bitstream)
    load(chosen, Path(bitstream))
    table = plain_table(f"{chosen.title}, loaded", ("bitstream", bitstream))
    show(table, {"board": board, "bitstream": bitstream}, quiet=quiet, as_json=as_json)


@contextmanager
def _steps(title: str, console: Console) -> Iterator[Callable[[str], None]]:
    """Show the steps of long work; yields a function to call at the start of each, with its name.

    A terminal shows the running time of each step; elsewhere each step is a line with the time that
    has passed.
    """
    if not console.is_terminal:
        start = monotonic()
        yield lambda step: console.print(f"{title}: {step}, after {monotonic() - start:.0f} s")
        return
    with Progress(PlainColumn("{task.description}"), TimeElapsedColumn(), console=console) as bar:

        def end_last() -> None:
            for task in bar.task_ids[-1:]:
                bar.update(task, total=1, completed=1)

        def begin(step: str) -> None:
            end_last()
            bar.add_task(f"{title}: {step}", total=None)

        yield begin
        end_last()
