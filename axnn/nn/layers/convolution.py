"""The convolution, with stride, padding, groups and a pooling window."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from axnn.nn.layers.columns import ColumnBlocks
from axnn.nn.layers.neuron import FloatArray, SourceLayer
from axnn.nn.layers.pooling import pool_largest, spread_to_largest
from axnn.nn.layers.products import product, weight_gradient
from qcnpe.spec.geometry import Geometry


class Convolution(SourceLayer):
    """Every neuron reads a window of the map; the neurons of a channel share their weights.

    Parameters
    ----------
    name, geometry, function, weights, bias : see `NeuronLayer`; weights (channels, fan_in)
    """

    def __init__(
        self,
        *,
        name: str,
        geometry: Geometry,
        function: str,
        weights: FloatArray,
        bias: FloatArray,
    ) -> None:
        super().__init__(
            name=name, geometry=geometry, function=function, weights=weights, bias=bias
        )
        self._blocks = ColumnBlocks(geometry)
        adjoint = _adjoint_geometry(geometry, self._blocks.map_shape)
        self._adjoint = None if adjoint is None else ColumnBlocks(adjoint)

    def _members(self) -> Iterator[tuple[int, slice]]:
        """Each group, and which channels are of it."""
        per_group = self.geometry.channels // self.geometry.groups
        for group in range(self.geometry.groups):
            yield group, slice(group * per_group, (group + 1) * per_group)

    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """Products of matrices, block after block of the map; then the largest in each window."""
        padded = self._blocks.pad(inputs)
        batch = padded.shape[-1]
        values = np.empty((len(weights), *self._blocks.map_shape, batch), padded.dtype)
        for group, members in self._members():
            chosen = weights[members]
            for start, end in self._blocks.blocks(batch, padded.dtype):
                columns = self._blocks.unfold(padded, group, start, end)
                # A view: the rows of a block follow one another.
                target = values[members, start:end].reshape(len(chosen), -1)
                target[...] = product(chosen, columns)
        if self.geometry.window == 1:
            return values.reshape(len(weights), -1, batch), (padded, None, None)
        largest = pool_largest(values, self.geometry.pool)
        # A copy is saved, since the caller may change the sums.
        return largest.reshape(len(weights), -1, batch), (padded, values, largest.copy())

    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The gradient goes to the largest of each window, then through the products."""
        padded, values, largest = saved
        if self.geometry.window == 1:
            shape = (len(weights), *self._blocks.map_shape, padded.shape[-1])
            by_values = gradient.reshape(shape)
        else:
            by_pooled = gradient.reshape(largest.shape)
            by_values = spread_to_largest(by_pooled, values, largest, self.geometry.pool)
        if inputs and self._adjoint is not None:
            return self._gradients_by_adjoint(by_values, weights, padded, self._adjoint, own=own)
        by_weights = np.zeros_like(weights) if own else None
        by_padded = np.zeros_like(padded) if inputs else None
        for group, members in self._members():
            transposed = weights[members].T
            for start, end in self._blocks.blocks(padded.shape[-1], padded.dtype):
                chosen = by_values[members, start:end].reshape(transposed.shape[1], -1)
                if by_weights is not None:
                    columns = self._blocks.unfold(padded, group, start, end)
                    by_weights[members] += weight_gradient(chosen, columns)
                if by_padded is not None:
                    self._blocks.fold(transposed @ chosen, by_padded, group, start, end)
        return None if by_padded is None else self._blocks.crop(by_padded), by_weights

    def _gradients_by_adjoint(
        self,
        by_values: FloatArray,
        weights: FloatArray,
        padded: FloatArray,
        adjoint: ColumnBlocks,
        *,
        own: bool,
    ) -> tuple[FloatArray, FloatArray | None]:
        """Both gradients from unfolded gradients: the inputs' is a convolution with them, too.

        That unfolds once, and folds nothing.
        """
        batch = padded.shape[-1]
        shape = self.geometry.input_shape
        maps = self._blocks.crop(padded).reshape(*shape, batch)
        unfolded = adjoint.pad(by_values.reshape(-1, batch))
        by_inputs = np.empty((*shape, batch), by_values.dtype)
        by_weights = np.empty_like(weights) if own else None
        depth = shape[0] // self.geometry.groups
        for group, members in self._members():
            read = slice(group * depth, (group + 1) * depth)
            kernel = weights[members].reshape(-1, depth, *self.geometry.kernel)
            turned = np.ascontiguousarray(_turned(kernel)).reshape(depth, -1)
            total = np.zeros_like(turned)
            for start, end in adjoint.blocks(batch, padded.dtype):
                columns = adjoint.unfold(unfolded, group, start, end)
                target = by_inputs[read, start:end].reshape(depth, -1)
                target[...] = product(turned, columns)
                if own:
                    values = maps[read, start:end].reshape(depth, -1)
                    total += weight_gradient(values, columns)
            if by_weights is not None:
                shaped = total.reshape(depth, -1, *self.geometry.kernel)
                by_weights[members] = _turned(shaped).reshape(len(kernel), -1)
        return by_inputs.reshape(-1, batch), by_weights


def _turned(kernel: FloatArray) -> FloatArray:
    """Inputs and outputs of a kernel exchanged, and its window turned by half."""
    return kernel.swapaxes(0, 1)[:, :, ::-1, ::-1]


def _adjoint_geometry(geometry: Geometry, map_shape: tuple[int, int]) -> Geometry | None:
    """The convolution that gives the gradient by the inputs; None if it takes longer than folding.

    Parameters
    ----------
    geometry : of the layer
    map_shape : of the map before pooling
    """
    inputs, height, width = geometry.input_shape
    plain = geometry.stride == geometry.dilation == (1, 1) and map_shape == (height, width)
    if not plain or geometry.channels > inputs or max(geometry.kernel) == 1:
        return None
    down, right = (size - 1 for size in geometry.kernel)
    top, left, bottom, beside = geometry.padding
    return Geometry(
        input_shape=(geometry.channels, *map_shape),
        channels=inputs,
        kernel=geometry.kernel,
        padding=(down - top, right - left, down - bottom, right - beside),
        groups=geometry.groups,
    )
