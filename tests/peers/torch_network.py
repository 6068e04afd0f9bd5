"""A network of the project, built again from PyTorch's own operations with the same parameters."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from axnn.cpu.chain import chain_of
from axnn.nn.layers import SourceLayer
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec

FUNCTIONS = {
    "identity": lambda values: values,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class TorchLayer(nn.Module):
    """One layer; its parameters start with copies of the values of another layer.

    Parameters
    ----------
    spec : description
    layer : what the description became
    """

    def __init__(self, spec: LayerSpec, layer: SourceLayer) -> None:
        super().__init__()
        self.spec = spec
        self.geometry = layer.geometry
        self.weights = nn.Parameter(torch.tensor(layer.weights.value))
        self.bias = nn.Parameter(torch.tensor(layer.bias.value))

    def forward(self, values: Tensor) -> Tensor:
        """Results (batch, channels, ...)."""
        results = FUNCTIONS[self.spec.function](self._sums(values))
        if self.geometry.window > 1:
            results = functional.max_pool2d(results, self.geometry.pool)
        if self.spec.dropout:
            results = functional.dropout(results, self.spec.dropout, training=self.training)
        return results

    def _sums(self, values: Tensor) -> Tensor:
        geometry = self.geometry
        if self.spec.kind == "dense":
            return functional.linear(values.flatten(1), self.weights, self.bias)
        if self.spec.kind == "subsampling":
            means = functional.avg_pool2d(values, geometry.kernel)
            weight = geometry.fan_in * self.weights[..., None]
            return means * weight + self.bias[:, None, None]
        kernel = self.weights.reshape(geometry.channels, -1, *geometry.kernel)
        return functional.conv2d(
            values,
            kernel,
            self.bias,
            stride=geometry.stride,
            padding=geometry.padding[:2],
            groups=geometry.groups,
        )


def torch_network(network: Network) -> nn.Sequential:
    """The same network with the same parameters."""
    pairs = zip(network.spec.layers, chain_of(network), strict=True)
    return nn.Sequential(*(TorchLayer(spec, layer) for spec, layer in pairs))
