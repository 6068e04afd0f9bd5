"""A program in C without an operating system classifies digits on a simulated autonomous engine.

The 8x8 digits' network is trained and quantised to 8 and to 4 bits: two operating points, whose
images lie side by side in one file. The program `bare_metal/digits.c`, compiled with the driver
that `qcnpe generate --top autonomous` writes, copies it to the engine's memory, switches from one
to the other after each picture, starts runs and reads logits. The engine is the emitted Verilog in
Verilator; each logit must be the integer model's.
"""

import argparse
from pathlib import Path

import numpy as np

from axnn import data
from axnn.flow.apps import find_app
from axnn.flow.evaluate import integer_samples
from axnn.flow.run_folder import RunFolder, Trained
from axnn.flow.steps import train_step
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.command_line import command
from qcnpe.placement.build import place_network
from qcnpe.placement.join import join_images
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.qnet import QuantNet
from qcnpe.terminal import Console, show_progress
from sim.c_program import classify

APP = find_app("digits8x8")
PROGRAM = Path(__file__).parent / "bare_metal" / "digits.c"
WIDTHS = (8, 4)
MEMORIES = MemoryConfig.default(APP.engine)


def quantised(trained: Trained, width: int) -> QuantNet:
    """The network at a width."""
    inputs = data.load(APP.data, seed=trained.seed).train.inputs
    precision = uniform_precision(trained.network, width)
    scales = calibrate(trained.network, inputs, precision, APP.engine)
    return to_integers(trained.network, scales, precision, APP.engine)


def demonstrate(arguments: argparse.Namespace) -> None:
    """Train once, then let the program classify."""
    with show_progress("training", APP.training.epochs) as update:
        trained = train_step(
            RunFolder(arguments.run), APP, seed=1, on_epoch=lambda epoch: update(epoch.number + 1)
        )
    nets = [quantised(trained, width) for width in WIDTHS]
    test = data.load(APP.data, seed=trained.seed).test
    chosen = [integer_samples(net, test).draw(arguments.limit, seed=trained.seed) for net in nets]
    images = join_images([place_network(net, MEMORIES, 1).image for net in nets])
    turns = np.arange(len(chosen[0].inputs)) % len(nets)
    inputs = np.choose(turns[:, None], [each.inputs for each in chosen])
    expected = np.choose(
        turns[:, None], [infer(net, each.inputs) for net, each in zip(nets, chosen, strict=True)]
    )
    console = Console()
    console.print("simulating the engine; its first build takes a minute")
    found = classify(PROGRAM, images, inputs)
    mismatches = int(np.count_nonzero(found.logits != expected))
    right = np.count_nonzero(found.classes == chosen[0].labels)
    widths = " and ".join(map(str, WIDTHS))
    console.print(
        f"{right} of {len(expected)} digits right, at {widths} bits in turn,"
        f" {mismatches} logits differ"
    )
    if mismatches or not np.array_equal(found.classes, expected.argmax(axis=1)):
        raise QcnpeError("logits of the engine differ from the model")


def main() -> None:
    """Read the arguments; errors that a user can correct are one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    run = Path("build/bare-metal")
    parser.add_argument("--run", type=Path, default=run, help="folder of the files")
    parser.add_argument("--limit", type=int, default=20, help="digits, drawn at random")
    arguments = parser.parse_args()
    with command("bare_metal_digits"):
        demonstrate(arguments)


if __name__ == "__main__":
    main()
