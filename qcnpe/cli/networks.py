"""The commands about networks: compile, promote, simulate, export, verify."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from qcnpe.cli.app import cli
from qcnpe.cli.options import (
    MemoryOption,
    NetArgument,
    NetColsOption,
    NetNcuOption,
    NetPrecisionsOption,
    NetRowsOption,
    NetworkEngine,
    changed_sizes,
    check_top,
)
from qcnpe.compiler import Program, compile_network
from qcnpe.options import JsonOption, QuietOption, Top, TopOption
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.errors import ConfigError, FormatError, QcnpeError
from qcnpe.spec.files import replace_bytes
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.image import Image
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from qcnpe.terminal import plain_table, show, show_progress

if TYPE_CHECKING:
    from sim.check import RtlCheck
    from sim.waves import Waves


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
    check_top(top, memory)
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
    table = plain_table(
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
    check_top(top, memory)
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
    table = plain_table(f"{network.name}, simulated", *rows_shown)
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
    table = plain_table(
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
        plain_table(network.name, *verification.rows),
        asdict(verification),
        quiet=quiet,
        as_json=as_json,
    )
    verification.check()
