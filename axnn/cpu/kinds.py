"""The kinds of approximation that save time on an ordinary processor, and the kind of each channel.

A channel is lowered along a ladder of kinds, each cheaper than the one before. The ladder depends
on the layer:

- A squashing function is replaced by a clamp (three line segments) or by one line. If the next
  layer only adds results up (subsampling), a line lets both layers be computed as one, with far
  fewer products.
- Products of bytes replace those of floating-point numbers if the fan-in is large enough.
- In a layer with max-pooling, one position is computed in place of each window.
- At the end of most ladders the channel is not computed at all: its mean goes into the biases of
  the layer that reads it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.chain import chain_of, is_chain
from axnn.nn.layers import AveragePooling, SourceLayer, Subsampling
from axnn.nn.network import Network

Assignment = tuple[NDArray[np.uint8], ...]
"""For each layer, the level of each channel on the layer's ladder; 0 is exact."""

_ENOUGH_FOR_BYTES = 24
"""Smallest fan-in at which products of bytes save time: rounding the inputs takes time, too."""

_FUNCTION_COST = {"tanh": 12.0, "sigmoid": 13.0, "relu": 1.0, "identity": 0.0}
_CLAMP_COST = 1.0
_BYTE_COST = 0.3
_SUM_COST = 3.0
"""Times of a function's value, of a clamp, of a product of bytes and of an element of a window's
sum, in float32 multiply-accumulates of the kernels, measured on an AMD EPYC with AVX-512."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a channel is computed.

    Attributes
    ----------
    function : "exact", "clamp" (three segments), "linear" (one) or "omitted" (a constant)
    operands : "float32" or "int8"
    positions : "all", or "one" of each pooling window
    """

    function: str = "exact"
    operands: str = "float32"
    positions: str = "all"


EXACT = Kind()
OMITTED = Kind(function="omitted")


def sums_windows(layer: SourceLayer) -> bool:
    """Whether a layer only adds up windows of its own channel."""
    return isinstance(layer, Subsampling | AveragePooling)


def is_fused(network: Network, index: int) -> bool:
    """Whether a layer is computed together with the one before it, whose windows it adds up."""
    if index == 0:
        return False
    before, layer = chain_of(network)[index - 1 : index + 1]
    return sums_windows(layer) and not sums_windows(before) and before.geometry.window == 1


def is_summed(network: Network, index: int) -> bool:
    """Whether the next layer is computed together with this one."""
    return index + 1 < len(chain_of(network)) and is_fused(network, index + 1)


def can_omit(network: Network, index: int) -> bool:
    """Whether channels of a layer may be omitted: whether their means can go into biases."""
    if index + 1 == len(chain_of(network)) or is_summed(network, index):
        return False
    return chain_of(network)[index + 1].geometry.groups == 1


def ladder(network: Network, index: int) -> tuple[Kind, ...]:
    """The kinds that a channel of a layer can be of, the exact one first.

    Networks that are no chain have the exact one only.
    """
    if not is_chain(network):
        return (EXACT,)
    layers = chain_of(network)
    layer = layers[index]
    # A line is folded into the parameters of the layer, which must therefore have some.
    squashes = layer.function in ("tanh", "sigmoid") and bool(layer.parameters)
    bytes_pay = (
        layer.geometry.fan_in >= _ENOUGH_FOR_BYTES
        and layer.geometry.groups == 1
        and layer.geometry.input_shape[0] > 1  # four channels of a position make a word
    )
    if is_summed(network, index):
        lines = (Kind(function="clamp"),) if squashes else ()
        return EXACT, *lines, Kind(function="linear")
    kinds = [EXACT]
    if bytes_pay:
        kinds.append(Kind(operands="int8"))
    if squashes:
        kinds.append(Kind(function="clamp", operands=kinds[-1].operands))
    if layer.geometry.window > 1 and layer.geometry.groups == 1:
        last = kinds[-1]
        kinds.append(Kind(function=last.function, operands=last.operands, positions="one"))
    if can_omit(network, index):
        kinds.append(OMITTED)
    return tuple(kinds)


def omitted(network: Network, assignment: Assignment, index: int) -> NDArray[np.bool_]:
    """(channels,) whether a channel is not computed: it, or the one that sums it, is omitted."""
    reader = index + 1 if is_summed(network, index) else index
    kinds = ladder(network, reader)
    return np.array([kinds[level] == OMITTED for level in assignment[reader]])


def exact_assignment(network: Network) -> Assignment:
    """Every channel exact."""
    return tuple(np.zeros(layer.geometry.channels, np.uint8) for layer in network.neuron_layers)


def uniform_assignment(network: Network, level: int) -> Assignment:
    """Every channel at this level, or at the last one at which it is computed."""
    return tuple(
        np.full(layer.geometry.channels, min(level, _last_computed(network, index)), np.uint8)
        for index, layer in enumerate(chain_of(network))
    )


def _last_computed(network: Network, index: int) -> int:
    kinds = ladder(network, index)
    return len(kinds) - 1 - (kinds[-1] == OMITTED)


def _channel_cost(network: Network, index: int, kind: Kind, present: float) -> float:
    """Time of one channel for one sample; `present` is the share of inputs not omitted."""
    if kind == OMITTED:
        return 0.0
    layer = chain_of(network)[index]
    geometry = layer.geometry
    functions = {"exact": _FUNCTION_COST[layer.function], "clamp": _CLAMP_COST, "linear": 0.0}
    function = functions[kind.function]
    if is_fused(network, index):
        return geometry.outputs * (function + _SUM_COST)
    if kind.function == "linear":
        return present * _merged_macs(network, index)
    product = present * (_BYTE_COST if kind.operands == "int8" else 1.0)
    window = 1 if kind.positions == "one" else geometry.window
    return geometry.outputs * (window * geometry.fan_in * product + function)


def _merged_macs(network: Network, index: int) -> int:
    """Products of a convolution merged with the sums of its windows, of one channel."""
    geometry = chain_of(network)[index].geometry
    sums = chain_of(network)[index + 1].geometry
    depth = geometry.input_shape[0] // geometry.groups
    height, width = (
        kernel + (window - 1) * stride
        for kernel, window, stride in zip(
            geometry.kernel, sums.kernel, geometry.stride, strict=True
        )
    )
    return sums.outputs * depth * height * width


def cost(network: Network, assignment: Assignment) -> float:
    """Time of all channels for one sample, in multiply-accumulates of the float32 kernels."""
    total, present = 0.0, 1.0
    for index, levels in enumerate(assignment):
        gone = omitted(network, assignment, index)
        for level, kind in enumerate(ladder(network, index)):
            count = int(((levels == level) & ~gone).sum())
            total += count * _channel_cost(network, index, kind, present)
        if not is_summed(network, index):
            present = float(np.mean(~gone))
    return total


def saving(network: Network, assignment: Assignment, index: int, channel: int) -> float:
    """Time that is saved if a channel is lowered by one level."""
    lowered = tuple(levels.copy() for levels in assignment)
    lowered[index][channel] += 1
    return cost(network, assignment) - cost(network, lowered)
