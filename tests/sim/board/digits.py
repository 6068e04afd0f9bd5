"""Operating points of the 8x8 digits, trained for a short time."""

from dataclasses import replace
from functools import cache

from axnn import data
from axnn.flow.apps import find_app
from axnn.flow.evaluate import integer_samples
from axnn.nn.network import Network
from axnn.nn.train import train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples

APP = find_app("digits8x8")


@cache
def digits(
    engine: EngineConfig, count: int, epochs: int = 4
) -> tuple[dict[str, QuantNet], Samples]:
    """Networks by the name of their width, and a draw of test samples."""
    samples = data.load(APP.data, seed=1)
    network = Network(APP.network, seed=1)
    train(network, samples, replace(APP.training, epochs=epochs), seed=1)
    points = {}
    for width in engine.precisions:
        precision = uniform_precision(network, width)
        scales = calibrate(network, samples.train.inputs, precision, engine)
        points[f"{width} bit"] = to_integers(network, scales, precision, engine)
    chosen = integer_samples(points["16 bit"], samples.test)
    return points, chosen.draw(count, seed=1)
