"""Networks as PyTorch's users write them, and as both of its exporters put them into ONNX."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

EXPORTERS = {"legacy": False, "dynamo": True}
"""Name of each exporter, and the argument of `torch.onnx.export` that chooses it."""


@dataclass(frozen=True)
class Foreign:
    """A network and the shape of a sample.

    Attributes
    ----------
    build : makes it, with PyTorch's own start values
    shape : (channels, height, width), (channels, length) or (features,)
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]


def _mlp() -> nn.Module:
    """Dense layers with BatchNorm after them."""
    return nn.Sequential(
        nn.Linear(40, 64), nn.BatchNorm1d(64), nn.ReLU(),
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Linear(32, 5), nn.Softmax(dim=1),
    )  # fmt: skip


def _lenet() -> nn.Module:
    """LeNet-5 with tanh and trainable means."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(),
        nn.Linear(84, 10),
    )  # fmt: skip


def _convolution(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A 3x3 convolution, BatchNorm and ReLU."""
    kernel = nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=False)
    return [kernel, nn.BatchNorm2d(outputs), nn.ReLU()]


def _vgg() -> nn.Module:
    """Convolutions in pairs, maximum over windows."""
    return nn.Sequential(
        *_convolution(3, 16), *_convolution(16, 16), nn.MaxPool2d(2),
        *_convolution(16, 32), *_convolution(32, 32), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 64, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10),
    )  # fmt: skip


def _separable(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A depth-wise and a point-wise convolution."""
    point = nn.Conv2d(inputs, outputs, 1, bias=False)
    depth = _convolution(inputs, inputs, stride, groups=inputs)
    return [*depth, point, nn.BatchNorm2d(outputs), nn.ReLU()]


def _mobilenet() -> nn.Module:
    """MobileNetV1 of a quarter of the width, for 96x96 pixels.

    Source: A. Howard et al., MobileNets, 2017; C. Banbury et al., MLPerf Tiny, 2021.
    """
    sizes = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2)]
    layers, before = _convolution(3, 8, 2), 8
    for channels, stride in (*sizes, (256, 1)):
        layers += _separable(before, channels, stride)
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2))


def _ds_cnn() -> nn.Module:
    """Keywords from a spectrogram of 49x10.

    Source: Y. Zhang et al., Hello edge, 2017; C. Banbury et al., MLPerf Tiny, 2021.
    """
    first = [nn.Conv2d(1, 64, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers = [layer for _ in range(4) for layer in _separable(64, 64)]
    return nn.Sequential(*first, *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


class _Block(nn.Module):
    """Two convolutions and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_convolution(inputs, outputs, stride))
        self.second = nn.Sequential(*_convolution(outputs, outputs)[:2])
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, values: Tensor) -> Tensor:
        """Results of (batch, channels, height, width)."""
        return functional.relu(self.second(self.first(values)) + self.shortcut(values))


def resnet8() -> nn.Module:
    """ResNet-8 for pictures of 32x32.

    Source: C. Banbury et al., MLPerf Tiny, 2021.
    """
    return nn.Sequential(
        *_convolution(3, 16), _Block(16, 16, 1), _Block(16, 32, 2), _Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def _autoencoder() -> nn.Module:
    """Dense layers with a waist of 8, whose results are as many as its inputs."""
    sizes = (640, 128, 128, 8, 128, 128)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 640))


def _one_dimensional() -> nn.Module:
    """Convolutions over time, dilated ones among them."""
    return nn.Sequential(
        nn.Conv1d(2, 16, 7, padding=3), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 3, padding=2, dilation=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(32, 32, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 6),
    )  # fmt: skip


FOREIGN = {
    "mlp": Foreign(_mlp, (40,)),
    "lenet_tanh": Foreign(_lenet, (1, 32, 32)),
    "vgg": Foreign(_vgg, (3, 32, 32)),
    "mobilenet": Foreign(_mobilenet, (3, 96, 96)),
    "ds_cnn": Foreign(_ds_cnn, (1, 49, 10)),
    "resnet8": Foreign(resnet8, (3, 32, 32)),
    "autoencoder": Foreign(_autoencoder, (640,)),
    "cnn_1d": Foreign(_one_dimensional, (2, 64)),
}
"""Networks by name."""


def settle(network: nn.Module, shape: tuple[int, ...], *, seed: int) -> None:
    """Give BatchNorm means and variances, and factors, that are not 0 and 1, as training does."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(32, *shape) * 2 - 1)
    network.eval()


def export(network: nn.Module, shape: tuple[int, ...], path: Path, *, exporter: str) -> None:
    """Write a network as an ONNX file by one of `EXPORTERS`, for batches of any size."""
    network.eval()
    sample = torch.zeros(2, *shape)
    if EXPORTERS[exporter]:
        batch = torch.export.Dim("batch")
        torch.onnx.export(
            network, (sample,), path, dynamo=True, external_data=False, verbose=False,
            input_names=["inputs"], output_names=["results"], dynamic_shapes=({0: batch},),
        )  # fmt: skip
    else:
        torch.onnx.export(
            network, (sample,), path, dynamo=False, opset_version=17,
            input_names=["inputs"], output_names=["results"],
            dynamic_axes={"inputs": {0: "batch"}, "results": {0: "batch"}},
        )  # fmt: skip


def _silero(folder: Path, seed: int) -> tuple[Path, NDArray[np.float32]]:
    """A voice detector with recurrent layers and branches, as its package holds it."""
    with as_file(files("silero_vad") / "data/silero_vad.onnx") as path:
        return path, np.random.default_rng(seed).random((4, 512), np.float32)


def _transformer(folder: Path, seed: int) -> tuple[Path, NDArray[np.float32]]:
    """An encoder block: its attention multiplies two things that both depend on the input."""
    torch.manual_seed(seed)
    block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    path = folder / "transformer.onnx"
    export(block, (8, 32), path, exporter="dynamo")
    return path, np.random.default_rng(seed).random((4, 8, 32), np.float32)


def _dynamic(folder: Path, seed: int) -> tuple[Path, NDArray[np.float32]]:
    """A convolution over pictures of any size."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)).eval()
    path = folder / "dynamic.onnx"
    torch.onnx.export(
        network, (torch.zeros(1, 1, 9, 9),), path, dynamo=False, input_names=["inputs"],
        output_names=["results"], dynamic_axes={"inputs": {2: "height", 3: "width"}},
    )  # fmt: skip
    return path, np.random.default_rng(seed).random((4, 1, 9, 9), np.float32)


REFUSED: dict[str, Callable[[Path, int], tuple[Path, NDArray[np.float32]]]] = {
    "silero_vad": _silero,
    "transformer": _transformer,
    "dynamic": _dynamic,
}
"""Networks that the engine cannot run: each makes its file in a folder, and samples."""
