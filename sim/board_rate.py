"""Pictures a second of LeNet on boards with autonomous engines: octets of the line, and cycles.

`python -m sim.board_rate --out results/fpga.json` counts the octets of real pictures, those of
MNIST, at the board's rate; the engine's cycles are added, as if nothing overlapped.
"""

import argparse
from pathlib import Path

from axnn import data
from axnn.flow.apps import find_app
from qcnpe.boards.autonomous import run_requests
from qcnpe.boards.catalog import BOARDS, Board
from qcnpe.boards.report import write_figures
from qcnpe.command_line import command
from qcnpe.image_driver import Octets
from qcnpe.placement.build import place_network
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.frames import RESULT_BEATS, SEQUENCES, Frame, Kind, cut_into_bodies
from qcnpe.spec.memory.cycles import count_run
from qcnpe.spec.memory.image import Image
from sim.bench_networks import WORKLOADS

APP = find_app("digits")
WIDTHS = (OPERAND_BITS, 4)

_BITS_AN_OCTET = 10
_SESSION = 1


def line_octets(image: Image, inputs: list[Octets], *, first: bool) -> tuple[int, int]:
    """Octets to the board, and from it, of all frames of runs, with their CRC and stuffing.

    Parameters
    ----------
    image, inputs : see `qcnpe.boards.autonomous.run_requests`
    first : each run loads what stays in the engine; else each is a further one
    """
    starts = (image.boot_rows, image.start) if first else (image.again_boot_rows, image.again)
    requests = run_requests(image, inputs, [starts] * len(inputs))
    bodies = list(cut_into_bodies(requests, image.config))
    answers = [(Kind.DONE, b"\0")] * len(bodies)
    most = RESULT_BEATS * image.config.bus_bytes
    sizes = [most] * (image.output_bytes // most) + [image.output_bytes % most]
    answers += [(Kind.RESULTS, bytes(size)) for size in sizes if size] * len(inputs)
    to_board = (Frame(Kind.WORK, _SESSION, n % SEQUENCES, body) for n, body in enumerate(bodies))
    to_host = (Frame(kind, _SESSION, n % SEQUENCES, body) for n, (kind, body) in enumerate(answers))
    sent, received = (sum(len(frame.encode()) for frame in way) for way in (to_board, to_host))
    return sent, received


def measure(board: Board, *, width: int, count: int) -> dict[str, float]:
    """Figures of a board with all neurons at one width.

    Parameters
    ----------
    board : with an autonomous engine
    width : operand width of all neurons
    count : pictures
    """
    link = board.link
    if link.memory is None:
        raise ConfigError(f"board must have an autonomous engine; {board.name} has not")
    net = WORKLOADS["lenet"].integers(width, link.engine, seed=1)
    image = place_network(net, link.memory, 1).image
    pictures = data.load(APP.data, seed=1).test.draw(count, seed=1).inputs
    codes = net.quantize_inputs(pictures)
    inputs = [image.pack_inputs(each[None]) for each in codes]
    octets_a_second = link.baud / _BITS_AN_OCTET
    loading = max(line_octets(image, inputs[:1], first=True)) / octets_a_second
    sent, received = line_octets(image, inputs, first=False)
    line_seconds = max(sent, received) / count / octets_a_second
    cycles = count_run(image, first=False).cycles
    prefix = f"{board.name}.lenet.{width}b"
    return {
        f"{prefix}.pictures": count,
        f"{prefix}.octets_to_board": sent / count,
        f"{prefix}.octets_to_host": received / count,
        f"{prefix}.cycles": cycles,
        f"{prefix}.loading_seconds": round(loading, 3),
        f"{prefix}.images_per_s": round(1 / (line_seconds + cycles / link.clock_hz), 1),
    }


def main() -> None:
    """Measure all boards with autonomous engines at 16 and at 4 bits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/fpga.json"))
    parser.add_argument("--pictures", type=int, default=500)
    arguments = parser.parse_args()
    with command("board_rate"):
        for board in BOARDS.values():
            for width in WIDTHS if board.link.memory is not None else ():
                found = measure(board, width=width, count=arguments.pictures)
                if width == OPERAND_BITS:
                    rate = found[f"{board.name}.lenet.{width}b.images_per_s"]
                    found[f"{board.name}.lenet_images_per_s"] = rate
                write_figures(arguments.out, found)


if __name__ == "__main__":
    main()
