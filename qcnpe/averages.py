"""Rows over channels: a layer that does the same to every channel is a layer of one channel.

A global average has a result for each channel, of that channel alone: one row and one column of the
array. Its input (channels, height, width), flat in memory, is also one channel of `channels` lines,
each of which holds a map; the average is then a kernel as long as a line, with a result for each
line. The channels lie in the rows of the array, as positions do elsewhere. All integers, and their
order, stay what they were.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.geometry import Geometry, Source
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands


def channels_as_rows(net: QuantNet) -> QuantNet:
    """The network with its global averages, and what is like them, as layers of one channel."""
    return replace(net, layers=tuple(_with_rows(layer) for layer in net.layers))


def _with_rows(layer: QuantLayer) -> QuantLayer:
    if not _is_alike(layer):
        return layer
    source = layer.sources[0]
    channels, height, width = source.geometry.input_shape
    length = height * width
    geometry = Geometry(input_shape=(1, channels, length), channels=1, kernel=(1, length))
    widths = {
        width: WidthOperands(operands.weights[:1], operands.shift[:1], operands.input_shifts)
        for width, operands in layer.widths.items()
    }
    return replace(
        layer,
        sources=(Source(geometry, source.layer),),
        bias=layer.bias[:1],
        precision=layer.precision.reshape(1, channels),
        widths=widths,
    )


def _is_alike(layer: QuantLayer) -> bool:
    """Whether every channel is computed from the whole of one channel, and all in the same way."""
    geometry = layer.sources[0].geometry
    channels, height, width = geometry.input_shape
    if len(layer.sources) > 1 or channels == 1 or geometry.window > 1:
        return False
    if geometry.groups != channels or geometry.channels != channels or geometry.outputs > 1:
        return False
    if geometry.kernel != (height, width) or any(geometry.padding):
        return False
    arrays: list[NDArray[np.integer]] = [layer.bias]
    for operands in layer.widths.values():
        arrays += [operands.weights, operands.shift]
    return all(bool(np.all(array == array[:1])) for array in arrays)
