"""Cut the operand traces that `make synth` measures energies with out of trained networks.

    python examples/operand_traces.py

A network for handwritten digits (MNIST in 32x32, 1024-128-128-10) is trained, then quantised at
every operand width and retrained at each; what passes some NCUs in the first tiles of every layer
goes to `synth/traces/mnist.npz`.
"""

from dataclasses import replace

from axnn.data import load
from axnn.netspec import LayerSpec, NetworkSpec
from axnn.network import Network
from axnn.quantize import QuantisedNetwork, calibrate, to_integers, uniform_precision
from axnn.train import TrainingPlan, train
from qcnpe.spec.config import EngineConfig
from synth.traces import TRACE, record, save

SEED = 1
ENGINE = EngineConfig()
BATCH = 16
BEATS = (300, 600, 100)
"""Of each layer: the first one reads pixels, most of them zero, the others results of a ReLU."""

NETWORK = NetworkSpec(
    name="mnist",
    input_shape=(1, 32, 32),
    layers=(
        LayerSpec(kind="dense", channels=128, function="relu"),
        LayerSpec(kind="dense", channels=128, function="relu"),
        LayerSpec(kind="dense", channels=10, function="identity"),
    ),
)
PLAN = TrainingPlan(epochs=4, batch=64, learning_rate=0.1, weight_decay=1e-5, patience=4)


def main() -> None:
    """Train, quantise at each width, retrain, record."""
    data = load("mnist", seed=SEED)
    network = Network(NETWORK, seed=SEED)
    train(network, data, PLAN, seed=SEED)
    trace, accuracies = {}, []
    for width in ENGINE.precisions:
        precision = uniform_precision(network, width)
        scales = calibrate(network, data.train.inputs, precision, ENGINE)
        model = QuantisedNetwork(network, scales, precision, ENGINE)
        if width < 16:
            rate = PLAN.learning_rate / 4
            history = train(model, data, replace(PLAN, epochs=2, learning_rate=rate), seed=SEED)
            accuracies.append(f"{width} bits {history.epochs[-1].validation_accuracy:.3f}")
        net = to_integers(network, scales, precision, ENGINE)
        inputs = net.quantize_inputs(data.validation.inputs[:BATCH])
        trace[width] = tuple(record(net, inputs, ENGINE, BEATS))
        print(width, "bits:", sum(len(tile.weights) for tile in trace[width]), "beats")
    facts = {
        "command": "python examples/operand_traces.py",
        "network": "MNIST in 32x32, dense 1024-128-128-10, ReLU",
        "validation_accuracy": ", ".join(accuracies),
        "seed": str(SEED),
    }
    save(trace, TRACE, facts)


if __name__ == "__main__":
    main()
