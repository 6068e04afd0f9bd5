"""Convolution as products of matrices: the operands of each position in a column (im2col).

Only a block of rows of the map is unfolded at a time, small enough to stay in the processor's
second-level cache. That is quicker than keeping the whole matrix for the backward pass, although it
is unfolded anew there: such a matrix is fan_in times larger than what it is made from.
"""

from collections.abc import Iterator

import numpy as np

from axnn.nn.layers.neuron import FloatArray
from qcnpe.spec.geometry import Geometry

_BLOCK_BYTES = 3 << 18
"""Size of an unfolded block; from 512 KiB to 1 MiB was quickest with 1 MiB of cache a core."""


class ColumnBlocks:
    """Unfolds the inputs of a geometry's positions, and folds gradients back.

    Positions that no pooling window covers are left out, as they are in the engine.

    Parameters
    ----------
    geometry : of the layer
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        _, height, width = geometry.output_shape
        self.map_shape = (height * geometry.pool[0], width * geometry.pool[1])
        self._depth = geometry.input_shape[0] // geometry.groups

    def pad(self, inputs: FloatArray) -> FloatArray:
        """(channels, rows, columns, batch) of (features, batch) inputs, with zeros around them."""
        shaped = inputs.reshape(*self._geometry.input_shape, -1)
        if not any(self._geometry.padding):
            return shaped
        top, left, bottom, right = self._geometry.padding
        return np.pad(shaped, ((0, 0), (top, bottom), (left, right), (0, 0)))

    def crop(self, padded: FloatArray) -> FloatArray:
        """Inverse of `pad`."""
        _, height, width = self._geometry.input_shape
        top, left = self._geometry.padding[:2]
        return padded[:, top : top + height, left : left + width].reshape(-1, padded.shape[-1])

    def blocks(self, batch: int, dtype: np.dtype[np.floating]) -> Iterator[tuple[int, int]]:
        """First row, and row after the last, of each block of the map."""
        rows, columns = self.map_shape
        row_bytes = self._geometry.fan_in * columns * batch * dtype.itemsize
        step = max(1, _BLOCK_BYTES // row_bytes)
        for start in range(0, rows, step):
            yield start, min(start + step, rows)

    def unfold(self, padded: FloatArray, group: int, start: int, end: int) -> FloatArray:
        """(fan_in, positions * batch) operands of the rows from start to end, of one group."""
        down, right = self._geometry.stride
        below, beside = self._geometry.dilation
        channel, row, column, sample = padded.strides
        # A view like those of `as_strided`, which takes ten times longer to make one; this way,
        # numpy checks its bounds, too.
        operands = np.ndarray(
            self._block_shape(start, end, padded.shape[-1]),
            padded.dtype,
            padded,
            group * self._depth * channel + start * down * row,
            (channel, row * below, column * beside, row * down, column * right, sample),
        )
        return operands.reshape(self._geometry.fan_in, -1)

    def fold(
        self, columns: FloatArray, padded: FloatArray, group: int, start: int, end: int
    ) -> None:
        """Add the gradients of what `unfold` returned to the gradients of the padded inputs."""
        shaped = columns.reshape(self._block_shape(start, end, padded.shape[-1]))
        (down, right), (height, width) = self._geometry.stride, self._geometry.kernel
        below, beside = self._geometry.dilation
        channels = slice(group * self._depth, (group + 1) * self._depth)
        for y in range(height):
            first = start * down + y * below
            rows = slice(first, first + (end - 1 - start) * down + 1, down)
            for x in range(width):
                left = x * beside
                places = slice(left, left + (self.map_shape[1] - 1) * right + 1, right)
                padded[channels, rows, places] += shaped[:, y, x]

    def _block_shape(self, start: int, end: int, batch: int) -> tuple[int, ...]:
        return self._depth, *self._geometry.kernel, end - start, self.map_shape[1], batch
