"""Throughput of a simulated board over its UART, and the share of time that the engine takes."""

import argparse
from dataclasses import replace
from pathlib import Path

from axnn import data
from axnn.flow.apps import find_app
from axnn.flow.evaluate import integer_samples
from axnn.flow.operating_points import run_point
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import train_step
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.boards.catalog import BOARDS
from qcnpe.boards.report import write_figures
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.command_line import command
from qcnpe.prices import EnergyPrices
from qcnpe.spec.samples import Samples
from sim.board import SimulatedBoard

APP = find_app("digits8x8")
BOARD = BOARDS["ecpix5_45f"]

CLOCK_HZ = 12e6
"""Clock of the simulation, the slowest that the receiver supports at a board's baud rate."""

_BITS_AN_OCTET = 10


def measure(run: RunFolder, *, count: int, width: int, batch: int) -> dict[str, float]:
    """Classify digits at one width; weights are sent once, before the measurement.

    Parameters
    ----------
    run : folder of the trained network
    count : samples
    width : operand width of all neurons
    batch : samples sent at once
    """
    trained = train_step(run, APP, seed=1)
    split, engine = data.load(APP.data, seed=1), BOARD.link.engine
    precision = uniform_precision(trained.network, width)
    scales = calibrate(trained.network, split.train.inputs, precision, engine)
    net = to_integers(trained.network, scales, precision, engine)
    samples = integer_samples(net, split.test.draw(batch + count, seed=1))
    first, rest = (
        Samples(samples.inputs[part], None)
        for part in (slice(0, batch), slice(batch, batch + count))
    )
    prices = EnergyPrices.load()
    with SimulatedBoard(replace(BOARD.link, clock_hz=CLOCK_HZ)) as top:
        with BoardTransport(SerialPort(top.path), timeout=120) as board:
            run_point(board, "warm-up", net, first, prices, batch=batch)
            before = board.sent, board.received
            found = run_point(board, f"{width} bit", net, rest, prices, batch=batch)
            sent, received = board.sent - before[0], board.received - before[1]
        counts = top.unplug()
    octets_a_second = BOARD.link.baud / _BITS_AN_OCTET
    line_seconds = max(sent, received) / octets_a_second / count
    prefix = f"uart.digits8x8.{width}b"
    return {
        f"{prefix}.samples": count,
        f"{prefix}.mismatches": found.mismatches,
        f"{prefix}.octets_to_board": sent / count,
        f"{prefix}.octets_to_host": received / count,
        f"{prefix}.simulated_octets_per_s": counts["octets_in"] / counts["seconds"],
        f"{prefix}.samples_per_s_at_3_mbaud": 1 / line_seconds,
        f"{prefix}.engine_share": found.cycles / BOARD.link.clock_hz / line_seconds,
    }


def main() -> None:
    """Measure at 16 and at 4 bits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/fpga.json"))
    parser.add_argument("--run", type=Path, default=Path("build/board"))
    parser.add_argument("--samples", type=int, default=32)
    arguments = parser.parse_args()
    with command("uart_throughput"):
        for width in (16, 4):
            found = measure(
                RunFolder(arguments.run), count=arguments.samples, width=width, batch=32
            )
            write_figures(arguments.out, found)


if __name__ == "__main__":
    main()
