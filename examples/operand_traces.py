"""Make the operand traces with which `synth` measures energies, from a trained network.

    python examples/operand_traces.py

LeNet for handwritten digits is trained for a short time, then quantised at every operand width
and retrained at each. The programs of its layers C1, C3 and C5 give two files: operands of single
neural compute units (NCUs), from which the energy prices are made (`synth/traces/digits.npz`), and
whole tiles of other samples, for checking the prices (`synth/traces/digits_tiles.npz`).
"""

from dataclasses import replace

import numpy as np

from axnn.data import load
from axnn.flow.apps import find_app
from axnn.nn.network import Network
from axnn.nn.train import train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import QuantisedNetwork, uniform_precision
from qcnpe.command_line import command
from synth.count_model import TILES, LayerTiles
from synth.count_model import save as save_tiles
from synth.traces import TRACE, Tile, array_tiles, cut, save, spread

SEED = 1
BATCH = 16
APP = find_app("digits")
LAYERS = {0: "c1", 2: "c3", 4: "c5"}
PIECES = {"c1": 192, "c3": 64, "c5": 10}
"""Pieces for single NCUs; with `LONGEST`, each layer has its share of the network's work."""
LONGEST = 200
WHOLE = {"c1": 40, "c3": 10, "c5": 2}
"""Number of tiles of the whole array."""


def main() -> None:
    """Train, quantise at each width, retrain, record."""
    data, rng = load(APP.data, seed=SEED), np.random.default_rng(SEED)
    network = Network(APP.network, seed=SEED)
    plan = replace(APP.training, epochs=3)
    history = train(network, data, plan, seed=SEED)
    accuracies = [f"float {history.best.validation_accuracy:.3f}"]
    trace: dict[int, tuple[Tile, ...]] = {}
    whole: list[LayerTiles] = []
    for width in APP.engine.precisions:
        precision = uniform_precision(network, width)
        scales = calibrate(network, data.train.inputs, precision, APP.engine)
        model = QuantisedNetwork(network, scales, precision, APP.engine)
        if width < 16:
            retraining = replace(APP.approximation.retraining, epochs=1)
            history = train(model, data, retraining, seed=SEED)
            accuracies.append(f"{width} bits {history.best.validation_accuracy:.3f}")
        net = to_integers(network, scales, precision, APP.engine)
        inputs = net.quantize_inputs(data.validation.draw(2 * BATCH, seed=SEED).inputs)
        seen = array_tiles(net, inputs[:BATCH], APP.engine)
        unseen = array_tiles(net, inputs[BATCH:], APP.engine)
        pieces: list[Tile] = []
        for index, name in LAYERS.items():
            pieces += cut(seen[index], PIECES[name], LONGEST, rng)
            beats = sum(len(tile.weights) * tile.rows * tile.cols for tile in seen[index]) / BATCH
            whole.append(LayerTiles(name, beats, tuple(spread(unseen[index], WHOLE[name]))))
        trace[width] = tuple(pieces)
        print(accuracies[-1], sum(len(tile.weights) for tile in pieces), "beats", flush=True)
    facts = {
        "command": "python examples/operand_traces.py",
        "network": "LeNet (`digits`): layers C1, C3, C5",
        "validation_accuracy": ", ".join(accuracies),
        "seed": str(SEED),
    }
    save(trace, TRACE, facts)
    save_tiles(whole, TILES, facts)


if __name__ == "__main__":
    with command("operand_traces"):
        main()
