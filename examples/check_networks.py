"""Make the networks with which `synth.engine_check` checks the energy prices.

    python examples/check_networks.py

A small convolutional network for the 8x8 digits is trained, quantised at every operand width and
retrained at each. Its layers use every activation function, pooling and narrow copies.
"""

from axnn.data import load
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.nn.train import TrainingPlan, train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import QuantisedNetwork, uniform_precision
from qcnpe.command_line import command
from qcnpe.spec.samples import Samples
from synth.engine_check import CONFIG, INPUTS, network_file

SEED = 1
SAMPLES = 8

NETWORK = NetworkSpec(
    name="check",
    input_shape=(1, 8, 8),
    layers=(
        LayerSpec(kind="convolution", channels=8, kernel=(3, 3), pool=(2, 2), function="relu"),
        LayerSpec(kind="dense", channels=24, function="tanh"),
        LayerSpec(kind="dense", channels=10, function="identity"),
    ),
)
TRAINING = TrainingPlan(epochs=40, batch=32, learning_rate=0.05, weight_decay=3e-4, patience=30)
RETRAINING = TrainingPlan(epochs=20, batch=32, learning_rate=0.02, weight_decay=1e-4, patience=20)


def main() -> None:
    """Train, quantise at each width, retrain, write."""
    data = load("digits8x8", seed=SEED)
    network = Network(NETWORK, seed=SEED)
    best = train(network, data, TRAINING, seed=SEED).best
    drawn = data.validation.draw(SAMPLES, seed=SEED).inputs
    for width in CONFIG.precisions:
        precision = uniform_precision(network, width)
        scales = calibrate(network, data.train.inputs, precision, CONFIG)
        if width < CONFIG.precisions[0]:
            model = QuantisedNetwork(network, scales, precision, CONFIG)
            best = train(model, data, RETRAINING, seed=SEED).best
        net = to_integers(network, scales, precision, CONFIG)
        net.save(network_file(width))
        Samples(net.quantize_inputs(drawn), None).save(INPUTS)  # the same at every width
        print(f"{width} bits: validation accuracy {best.validation_accuracy:.3f}", flush=True)


if __name__ == "__main__":
    with command("check_networks"):
        main()
