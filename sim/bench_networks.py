"""Networks of known shapes in integers, their weights drawn by a seed, for `sim.bench_memory`."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from axnn.flow.apps import find_app
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.qnet import QuantNet

_CALIBRATION_SAMPLES = 8

_MOBILENET_BLOCKS = (
    (1, 16),
    (2, 32),
    (1, 32),
    (2, 64),
    (1, 64),
    (2, 128),
    *[(1, 128)] * 5,
    (2, 256),
    (1, 256),
)
"""Stride of each depth-wise convolution, channels of the convolution that follows."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network and the pictures that it is measured with.

    Attributes
    ----------
    spec : the network
    batch : pictures in one run
    pictures : that are classified with the weights fetched once; a multiple of the batch
    """

    spec: NetworkSpec
    batch: int = 1
    pictures: int = 1

    @property
    def macs(self) -> int:
        """Multiplications for a picture, without those by the ones of a shortcut."""
        found = 0
        for layer, wiring in zip(self.spec.layers, self.spec.wirings, strict=True):
            first, *further = wiring.sources
            found += first.geometry.macs
            for add, source in zip(layer.adds, further, strict=True):
                found += source.geometry.macs if add.kind != "identity" else 0
        return found

    def compulsory_words(self, width: int) -> float:
        """Least 16-bit words of external memory for a picture.

        Weights at the width and biases once, each picture at the width, each result.
        """
        shapes = self.spec.folded.parameter_shapes
        biases = sum(prod(shape) for name, shape in shapes.items() if name.endswith("bias"))
        weights = sum(map(prod, shapes.values())) - biases
        share = width / OPERAND_BITS
        results = prod(self.spec.wirings[-1].output_shape)
        return (
            (weights * share + biases) / self.pictures
            + prod(self.spec.input_shape) * share
            + results
        )

    def integers(
        self,
        width: int,
        engine: EngineConfig,
        seed: int,
        samples: NDArray[np.float32] | None = None,
    ) -> QuantNet:
        """The network with initial weights, every neuron at one width.

        Parameters
        ----------
        width : in bits
        engine : that it is quantised for
        seed : of the weights, and of the noise that scales are calibrated with
        samples : that scales are calibrated with instead
        """
        network = Network(self.spec.folded, seed=seed)
        if samples is None:
            shape = (_CALIBRATION_SAMPLES, *self.spec.input_shape)
            samples = np.random.default_rng(seed).random(shape, np.float32)
        precision = uniform_precision(network, width)
        scales = calibrate(network, samples, precision, engine)
        return to_integers(network, scales, precision, engine)


def ds_cnn() -> NetworkSpec:
    """DS-CNN for keywords: a convolution and four pairs of depth-wise and point-wise ones.

    Source: C. Banbury et al., MLPerf Tiny benchmark, 2021.
    """
    first = LayerSpec(
        kind="convolution",
        channels=64,
        kernel=(10, 4),
        stride=(2, 2),
        padding=(4, 1, 5, 1),
        function="relu",
    )
    pairs = [layer for _ in range(4) for layer in _separable(64, 64, 1)]
    return NetworkSpec(
        name="ds_cnn", input_shape=(1, 49, 10), layers=(first, *pairs, *_ending((25, 5), 12))
    )


def mobilenet() -> NetworkSpec:
    """MobileNetV1 of a quarter of the channels, for pictures of 96x96 pixels and two classes.

    Source: C. Banbury et al., MLPerf Tiny benchmark, 2021.
    """
    layers = [
        LayerSpec(
            kind="convolution",
            channels=8,
            kernel=(3, 3),
            stride=(2, 2),
            padding=(0, 0, 1, 1),
            function="relu",
        )
    ]
    channels = 8
    for stride, following in _MOBILENET_BLOCKS:
        layers += _separable(channels, following, stride)
        channels = following
    return NetworkSpec(
        name="mobilenet", input_shape=(3, 96, 96), layers=(*layers, *_ending((3, 3), 2))
    )


def _separable(channels: int, following: int, stride: int) -> list[LayerSpec]:
    """A depth-wise convolution of 3x3 and the point-wise one after it."""
    return [
        LayerSpec(
            kind="convolution",
            channels=channels,
            kernel=(3, 3),
            stride=(stride, stride),
            padding=(1, 1) if stride == 1 else (0, 0, 1, 1),
            groups=channels,
            function="relu",
        ),
        LayerSpec(kind="convolution", channels=following, function="relu"),
    ]


def _ending(window: tuple[int, int], classes: int) -> tuple[LayerSpec, LayerSpec]:
    """A global average and a dense layer."""
    return (
        LayerSpec(kind="average", kernel=window, function="identity"),
        LayerSpec(kind="dense", channels=classes, function="identity"),
    )


WORKLOADS = {
    "lenet": Workload(spec=find_app("digits").network, batch=16, pictures=64),
    "objects": Workload(spec=find_app("objects").network, batch=4, pictures=64),
    "resnet8": Workload(spec=find_app("resnet8").network),
    "ds_cnn": Workload(spec=ds_cnn()),
    "mobilenet": Workload(spec=mobilenet()),
}
"""What is measured, by the name in the keys of `results/memory.json`."""
