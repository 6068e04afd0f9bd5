"""The commands for finished networks: export, verify, run on a board."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from axnn.cli.app import cli
from axnn.cli.options import ModelOption, PointOption, PricesOption, RunOption
from axnn.flow.bit_true import check_model, export_step, model_path
from axnn.flow.operating_points import PointResult, run_points
from axnn.flow.run_folder import RunFolder
from qcnpe.interchange import verify as verify_model
from qcnpe.options import JsonOption, QuietOption
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from qcnpe.terminal import plain_table, show, show_progress


@cli.command(epilog="Example: axnn export --run build/demo --onnx build/digits.onnx")
def export(
    run: RunOption,
    onnx: ModelOption = None,
    point: PointOption = "axnn",
    integers: Annotated[
        bool, typer.Option("--integers", help="The model reads int16 instead of real numbers.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a network as a standard ONNX model that computes the same integers."""
    folder = RunFolder(run)
    path = onnx or model_path(folder, point)
    export_step(folder, point, path, integers=integers)
    size = path.stat().st_size
    table = plain_table(point, ("model", f"{path}, {size / 1000:,.0f} kB"))
    show(table, {"model": str(path), "bytes": size}, quiet=quiet, as_json=as_json)


@cli.command(epilog="Example: axnn verify --run build/demo --onnx build/digits.onnx")
def verify(
    run: RunOption,
    onnx: ModelOption = None,
    point: PointOption = "axnn",
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a model of `export` in onnxruntime on the test part; compare every result."""
    folder = RunFolder(run)
    path = onnx or model_path(folder, point)
    net = folder.point(point)
    check_model(folder, point, path)
    inputs = folder.samples().test.inputs
    with show_progress("verifying", len(inputs), quiet=quiet or as_json) as update:
        found = verify_model(net, path, inputs, progress=update)
    document = {"model": str(path), **asdict(found)}
    show(plain_table(str(path), *found.rows), document, quiet=quiet, as_json=as_json)
    found.check()


@cli.command(
    name="run", epilog="Example: axnn run --run build/demo --port /dev/ttyUSB0 --point axnn"
)
def run_command(
    run: RunOption,
    port: Annotated[str, typer.Option(help="Serial port of the board.")],
    point: Annotated[
        list[str] | None,
        typer.Option(help="Operating point: a network of the run, as exact16 or axnn; repeat it."),
    ] = None,
    baud: Annotated[
        int, typer.Option(min=1, help="Rate of the port in bits a second.")
    ] = 3_000_000,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Run only so many samples, drawn at random.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Samples sent to the board at once.")] = 64,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Classify the test samples on an FPGA board, at one operating point after another."""
    from qcnpe.boards.serial_port import SerialPort
    from qcnpe.boards.transport import BoardTransport

    folder = RunFolder(run)
    names = point or [folder.exact16.stem, folder.axnn.stem]
    facts = folder.judgement().run
    points = {name: folder.point(name) for name in names}
    samples = Samples.load(folder.test_inputs).draw(limit, seed=0)
    total = len(points) * len(samples.inputs)
    with (
        BoardTransport(SerialPort(port, baud=baud)) as engine,
        show_progress("running", total, quiet=quiet or as_json) as update,
    ):
        costs = EnergyPrices.load(prices)
        results = run_points(engine, points, samples, costs, batch=batch, progress=update)
        document = {
            "run": asdict(facts),
            "engine": asdict(engine.config),
            "points": [
                {**asdict(result), "approximated_for": _engine_document(points[result.point])}
                for result in results
            ],
            "restarts": engine.restarts,
            "counters": engine.counters(),
        }
    shown = points_table(engine.config, results)
    others = sorted({_engine_title(net) for net in points.values() if net.engine != engine.config})
    if others:
        shown.caption = f"Approximated for {', '.join(others)}"
    show(shown, document, quiet=quiet, as_json=as_json)
    if any(result.mismatches for result in results):
        raise QcnpeError("outputs of the board differ from the model; build its bitstream again")


def _engine_document(net: QuantNet) -> dict[str, Any] | None:
    return None if net.engine is None else asdict(net.engine)


def _engine_title(net: QuantNet) -> str:
    return "an engine that the file does not name" if net.engine is None else net.engine.title


def points_table(engine: EngineConfig, results: Sequence[PointResult]) -> Table:
    """Operating points as a table."""
    table = Table(title=f"One engine of {engine.title}")
    table.add_column("point")
    numbers = ("samples", "accuracy", "differ", "cycles a sample", "pJ a sample", "samples/s")
    for heading in numbers:
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(
            result.point,
            f"{result.samples:,}",
            "" if result.accuracy is None else f"{result.accuracy:.2%}",
            str(result.mismatches),
            f"{result.cycles:,.1f}",
            f"{result.energy_pj:,.0f}",
            f"{1 / result.seconds:,.0f}",
        )
    return table
