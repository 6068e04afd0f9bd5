"""Small networks of every kind of layer, with random parameters."""

import numpy as np

from axnn.cpu.kinds import Assignment, exact_assignment, is_fused, is_summed, ladder, omitted
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec


def summed(function: str = "tanh") -> NetworkSpec:
    """Convolutions whose windows are added up, as in LeNet."""
    return NetworkSpec(
        name="summed",
        input_shape=(2, 12, 11),
        layers=(
            LayerSpec(kind="convolution", channels=5, kernel=(3, 2), function=function),
            LayerSpec(kind="subsampling", kernel=(2, 2), function=function),
            LayerSpec(kind="convolution", channels=9, kernel=(2, 2), function=function),
            LayerSpec(kind="average", kernel=(2, 2), function=function),
            LayerSpec(kind="dense", channels=7, function=function),
            LayerSpec(kind="dense", channels=3, function="identity"),
        ),
    )


def pooled(function: str = "tanh") -> NetworkSpec:
    """Padded and strided convolutions, the largest of windows, groups."""
    return NetworkSpec(
        name="pooled",
        input_shape=(3, 9, 8),
        layers=(
            LayerSpec(
                kind="convolution", channels=12, kernel=(3, 3), padding=(1, 1), pool=(2, 2),
                function=function,
            ),
            LayerSpec(
                kind="convolution", channels=10, kernel=(3, 3), padding=(2, 1), stride=(2, 1),
                groups=2, function=function,
            ),
            LayerSpec(kind="subsampling", kernel=(1, 2), function="identity"),
            LayerSpec(kind="dense", channels=40, function="relu"),
            LayerSpec(kind="dense", channels=4, function="identity"),
        ),
    )  # fmt: skip


def make_network(spec: NetworkSpec, *, seed: int = 0) -> Network:
    """A network whose biases are random, too."""
    network = Network(spec, seed=seed)
    rng = np.random.default_rng(seed)
    for layer in (layer for layer in network.neuron_layers if layer.parameters):
        layer.bias.value[:] = rng.normal(0, 0.2, layer.bias.value.shape)
    return network


def random_assignment(network: Network, rng: np.random.Generator) -> Assignment:
    """Any kind for each channel, but in each layer the first one is computed.

    The network's weights that read omitted channels become zero, as `absorb` leaves them.
    """
    found = tuple(
        rng.integers(0, len(ladder(network, index)), len(levels)).astype(np.uint8)
        for index, levels in enumerate(exact_assignment(network))
    )
    for index, levels in enumerate(found):
        levels[0] = 0
        reader = next((i for i in range(index + 1, len(found)) if not is_fused(network, i)), None)
        gone = omitted(network, found, index)
        if reader is not None and gone.any() and not is_summed(network, index):
            values = network.neuron_layers[reader].weights.value
            values.reshape(len(values), len(gone), -1)[:, gone] = 0
    return found


def random_inputs(network: Network, samples: int, *, seed: int = 1) -> np.ndarray:
    """Samples in [-1, 1]."""
    shape = (samples, *network.spec.input_shape)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
