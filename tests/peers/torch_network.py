"""A network of the project, built again from PyTorch's own operations with the same parameters."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from axnn.nn.layers import Addition, BatchNorm, NeuronLayer, SourceLayer
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, SourceSpec
from qcnpe.spec.geometry import NETWORK_INPUT

FUNCTIONS = {
    "identity": lambda values: values,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class TorchSums(nn.Module):
    """The sums that a layer forms over one source; its weights start with copies of the layer's.

    Parameters
    ----------
    kind : of the source
    layer : what its description became
    bias : that is added to the sums
    """

    def __init__(self, kind: str, layer: SourceLayer, bias: NDArray[np.float32] | None) -> None:
        super().__init__()
        self.kind = kind
        self.geometry = layer.geometry
        if layer.parameters:
            self.weights = nn.Parameter(torch.tensor(layer.weights.value))
        self.normalisation = None
        if isinstance(layer, BatchNorm):
            kinds = nn.BatchNorm1d if kind == "dense" else nn.BatchNorm2d
            self.normalisation = kinds(layer.geometry.channels)
        self.bias = None if bias is None else nn.Parameter(torch.tensor(bias))
        if self.normalisation is not None and self.bias is not None:
            self.normalisation.bias, self.bias = self.bias, None

    def forward(self, values: Tensor) -> Tensor:
        """Sums (batch, channels, ...); the largest in each window."""
        sums = self._products(values)
        if self.geometry.window > 1:
            sums = functional.max_pool2d(sums, self.geometry.pool)
        return sums if self.normalisation is None else self.normalisation(sums)

    def _products(self, values: Tensor) -> Tensor:
        geometry = self.geometry
        if self.kind == "identity":
            return values
        if self.kind == "dense":
            return functional.linear(values.flatten(1), self.weights, self.bias)
        if self.kind == "average":
            return functional.avg_pool2d(values, geometry.kernel)
        if self.kind == "subsampling":
            means = functional.avg_pool2d(values, geometry.kernel)
            weight = geometry.fan_in * self.weights[..., None]
            assert self.bias is not None
            return means * weight + self.bias[:, None, None]
        return functional.conv2d(
            values,
            self.weights.reshape(geometry.channels, -1, *geometry.kernel),
            self.bias,
            stride=geometry.stride,
            padding=geometry.padding[:2],
            groups=geometry.groups,
        )


class TorchLayer(nn.Module):
    """One layer; its parameters start with copies of the values of another layer.

    Parameters
    ----------
    spec : description
    layer : what the description became
    """

    def __init__(self, spec: LayerSpec, layer: NeuronLayer) -> None:
        super().__init__()
        self.spec = spec
        entries: tuple[LayerSpec | SourceSpec, ...] = (spec, *spec.adds)
        parts = layer.parts if isinstance(layer, Addition) else (cast("SourceLayer", layer),)
        bias = layer.bias.value if layer.parameters else None
        self.parts = nn.ModuleList(
            TorchSums(entry.kind, part, None if number else bias)
            for number, (entry, part) in enumerate(zip(entries, parts, strict=True))
        )

    def forward(self, *values: Tensor) -> Tensor:
        """Results (batch, channels, ...) of what each source reads."""
        sums = [part(value) for part, value in zip(self.parts, values, strict=True)]
        results = FUNCTIONS[self.spec.function](sum(sums[1:], start=sums[0]))
        if self.spec.dropout:
            results = functional.dropout(results, self.spec.dropout, training=self.training)
        return results


class TorchNetwork(nn.Module):
    """The same network with the same parameters.

    Parameters
    ----------
    network : the network
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.wirings = network.spec.wirings
        pairs = zip(network.spec.layers, network.neuron_layers, strict=True)
        self.layers = nn.ModuleList(TorchLayer(spec, layer) for spec, layer in pairs)

    def forward(self, values: Tensor) -> Tensor:
        """Logits (batch, classes)."""
        results = {NETWORK_INPUT: values}
        for index, (wiring, layer) in enumerate(zip(self.wirings, self.layers, strict=True)):
            results[index] = layer(*(results[source.reads(index)] for source in wiring.sources))
        return results[len(self.layers) - 1]
