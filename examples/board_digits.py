"""Quality configured at run time: several operating points of the 8x8 digits on one bitstream.

The operating points are the network, trained once and quantised at each width of the engine. The
host switches between them from batch to batch; the bitstream stays the same. Runs on a board
(`--port`), on a board simulated to the pins of its UART (`--simulate`), or, with neither option, on
the reference model.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axnn import data
from axnn.cli.models import points_table
from axnn.flow.apps import find_app
from axnn.flow.evaluate import integer_samples
from axnn.flow.operating_points import run_points
from axnn.flow.run_folder import RunFolder, Trained
from axnn.flow.steps import train_step
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.boards.catalog import BOARDS
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.command_line import command
from qcnpe.driver import ModelTransport, Transport
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.qnet import QuantNet
from qcnpe.terminal import Console, show_progress
from sim.board import SimulatedBoard

APP = find_app("digits8x8")
SIMULATED = BOARDS["ecpix5_45f"].link


def operating_points(trained: Trained, engine: EngineConfig) -> dict[str, QuantNet]:
    """The network at each width that the engine has."""
    inputs = data.load(APP.data, seed=trained.seed).train.inputs
    points = {}
    for width in engine.precisions:
        precision = uniform_precision(trained.network, width)
        scales = calibrate(trained.network, inputs, precision, engine)
        points[f"{width} bit"] = to_integers(trained.network, scales, precision, engine)
    return points


@contextmanager
def open_engine(port: str | None, *, simulate: bool) -> Iterator[Transport]:
    """A board, its simulation, or the model of the simulated one."""
    if port is not None:
        with BoardTransport(SerialPort(port)) as board:
            yield board
    elif simulate:
        # Simulation is slow; a long timeout does no harm on a line without losses.
        with (
            SimulatedBoard(SIMULATED) as top,
            BoardTransport(SerialPort(top.path), timeout=60) as board,
        ):
            yield board
    else:
        yield ModelTransport(SIMULATED.engine)


def demonstrate(arguments: argparse.Namespace) -> None:
    """Train once, then run each operating point."""
    with show_progress("training", APP.training.epochs) as update:
        trained = train_step(
            RunFolder(arguments.run), APP, seed=1, on_epoch=lambda epoch: update(epoch.number + 1)
        )
    test = data.load(APP.data, seed=trained.seed).test
    with open_engine(arguments.port, simulate=arguments.simulate) as engine:
        points = operating_points(trained, engine.config)
        samples = integer_samples(next(iter(points.values())), test)
        chosen = samples.draw(arguments.limit, seed=trained.seed)
        with show_progress("running", len(points) * len(chosen.inputs)) as update:
            results = run_points(
                engine, points, chosen, EnergyPrices.load(), batch=arguments.batch, progress=update
            )
    Console().print(points_table(engine.config, results))
    if any(result.mismatches for result in results):
        raise QcnpeError("outputs of the engine differ from the model")


def main() -> None:
    """Read the arguments; errors that a user can correct are one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", help="serial port of a board, such as /dev/ttyUSB0")
    where.add_argument("--simulate", action="store_true", help="simulate a board's top")
    parser.add_argument("--run", type=Path, default=Path("build/board"), help="folder of the files")
    parser.add_argument(
        "--limit", type=int, help="samples at each point, drawn at random; default: all"
    )
    parser.add_argument("--batch", type=int, default=64, help="samples sent at once")
    arguments = parser.parse_args()
    with command("board_digits"):
        demonstrate(arguments)


if __name__ == "__main__":
    main()
