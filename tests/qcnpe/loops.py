"""A layer written with loops over neurons, operands and Python's integers: slow and plain."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.geometry import Geometry
from qcnpe.spec.qnet import QuantLayer, QuantNet
from tests.qcnpe import exact


def reads_of(geometry: Geometry, group: int, y: int, x: int) -> list[int | None]:
    """Flat inputs, or None for padding, that a neuron of a group reads at map position (y, x)."""
    channels, height, width = geometry.input_shape
    depth = channels // geometry.groups
    reads: list[int | None] = []
    for channel in range(group * depth, (group + 1) * depth):
        for down in range(geometry.kernel[0]):
            for right in range(geometry.kernel[1]):
                row = y * geometry.stride[0] + down * geometry.dilation[0] - geometry.padding[0]
                col = x * geometry.stride[1] + right * geometry.dilation[1] - geometry.padding[1]
                inside = 0 <= row < height and 0 <= col < width
                reads.append((channel * height + row) * width + col if inside else None)
    return reads


def operand(layer: QuantLayer, source: int, value: int, width: int) -> int:
    """This width's copy of a 16-bit value of a source."""
    if width == 16:
        return value
    shift = layer.widths[width].input_shifts[source]
    return exact.copy(value, shift, width, unsigned=layer.input_unsigned)


def neuron(
    layer: QuantLayer,
    values: Sequence[Sequence[int]],
    channel: int,
    y: int,
    x: int,
    width: int,
) -> int:
    """Activation of a channel at map position (y, x), before pooling.

    Parameters
    ----------
    values : what each source reads
    """
    operands = layer.widths[width]
    weights = iter(operands.weights[channel].tolist())
    total = 0
    for number, source in enumerate(layer.sources):
        geometry = source.geometry
        for index in reads_of(geometry, geometry.group_of(channel), y, x):
            weight = next(weights)
            if index is not None:
                total += weight * operand(layer, number, values[number][index], width)
    return exact.result(
        total,
        bias=int(layer.bias[channel]),
        shift=int(operands.shift[channel]),
        function=layer.function,
        knots=() if layer.table is None else layer.table.tolist(),
    )


def window_positions(geometry: Geometry, row: int, col: int) -> list[tuple[int, int]]:
    """Map positions inside the map of the pooling window of a result."""
    down, right = geometry.pool_stride or geometry.pool
    top, left = row * down - geometry.pool_padding[0], col * right - geometry.pool_padding[1]
    height, width = geometry.map_shape
    return [
        (y, x)
        for y in range(top, top + geometry.pool[0])
        for x in range(left, left + geometry.pool[1])
        if 0 <= y < height and 0 <= x < width
    ]


def run_layer(layer: QuantLayer, *values: Sequence[int]) -> list[int]:
    """Results of a layer for one sample, in (channel, row, column) order.

    Parameters
    ----------
    values : what each source reads
    """
    geometry = layer.sources[0].geometry
    channels, height, width = geometry.output_shape
    return [
        max(
            neuron(layer, values, channel, y, x, int(layer.precision[channel, row * width + col]))
            for y, x in window_positions(geometry, row, col)
        )
        for channel in range(channels)
        for row in range(height)
        for col in range(width)
    ]


def run_network(net: QuantNet, inputs: NDArray[np.int16]) -> list[list[int]]:
    """Results of the last layer for each sample."""
    results = []
    for sample in inputs.tolist():
        made = {-1: sample}
        for index, layer in enumerate(net.layers):
            reads = [index - 1 if s.layer is None else s.layer for s in layer.sources]
            made[index] = run_layer(layer, *(made[read] for read in reads))
        results.append(made[len(net.layers) - 1])
    return results
