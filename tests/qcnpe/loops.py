"""A layer written with loops over neurons, operands and Python's integers: slow and plain."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.qnet import Geometry, QuantLayer, QuantNet
from tests.qcnpe import exact


def reads_of(geometry: Geometry, group: int, y: int, x: int) -> list[int | None]:
    """Flat inputs, or None for padding, that a neuron of a group reads at map position (y, x)."""
    channels, height, width = geometry.input_shape
    depth = channels // geometry.groups
    reads: list[int | None] = []
    for channel in range(group * depth, (group + 1) * depth):
        for down in range(geometry.kernel[0]):
            for right in range(geometry.kernel[1]):
                row = y * geometry.stride[0] + down - geometry.padding[0]
                col = x * geometry.stride[1] + right - geometry.padding[1]
                inside = 0 <= row < height and 0 <= col < width
                reads.append((channel * height + row) * width + col if inside else None)
    return reads


def operand(layer: QuantLayer, value: int, width: int) -> int:
    """This width's copy of a 16-bit input."""
    if width == 16:
        return value
    shift = layer.widths[width].input_shift
    return exact.copy(value, shift, width, unsigned=layer.input_unsigned)


def neuron(
    layer: QuantLayer, values: Sequence[int], channel: int, y: int, x: int, width: int
) -> int:
    """Activation of a channel at map position (y, x), before pooling."""
    operands = layer.widths[width]
    reads = reads_of(layer.geometry, layer.geometry.group_of(channel), y, x)
    weights = operands.weights[channel].tolist()
    total = sum(
        weight * operand(layer, values[index], width)
        for index, weight in zip(reads, weights, strict=True)
        if index is not None
    )
    return exact.result(
        total,
        bias=int(layer.bias[channel]),
        shift=int(operands.shift[channel]),
        function=layer.function,
        knots=() if layer.table is None else layer.table.tolist(),
    )


def run_layer(layer: QuantLayer, values: Sequence[int]) -> list[int]:
    """Results of a layer for one sample, in (channel, row, column) order."""
    channels, height, width = layer.geometry.output_shape
    tall, wide = layer.geometry.pool
    return [
        max(
            neuron(
                layer,
                values,
                channel,
                row * tall + down,
                col * wide + right,
                int(layer.precision[channel, row * width + col]),
            )
            for down in range(tall)
            for right in range(wide)
        )
        for channel in range(channels)
        for row in range(height)
        for col in range(width)
    ]


def run_network(net: QuantNet, inputs: NDArray[np.int16]) -> list[list[int]]:
    """Results of the last layer for each sample."""
    results = []
    for sample in inputs.tolist():
        for layer in net.layers:
            sample = run_layer(layer, sample)
        results.append(sample)
    return results
