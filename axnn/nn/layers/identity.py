"""The layer that passes on what it reads, or the largest value of each window."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers.neuron import FloatArray, Parameter, SourceLayer
from qcnpe.spec.geometry import Geometry


class Identity(SourceLayer):
    """Each neuron is one input, or the largest input of its pooling window; nothing is trained.

    The windows may overlap, leave gaps and reach over the edge. To the engine it is a 1x1
    convolution by the identity matrix, whose zeros the compiler leaves out.

    Parameters
    ----------
    name, function : see `NeuronLayer`
    geometry : as many channels as its input, kernel 1x1, stride 1, without padding
    """

    def __init__(self, *, name: str, geometry: Geometry, function: str) -> None:
        plain = (geometry.kernel, geometry.stride, geometry.padding) == ((1, 1), (1, 1), (0,) * 4)
        if not plain or geometry.channels != geometry.input_shape[0]:
            raise ValueError(f"layer {name}: an identity keeps its map: {geometry}")
        super().__init__(
            name=name,
            geometry=geometry,
            function=function,
            weights=np.ones((geometry.channels, 1), np.float32),
            bias=np.zeros(geometry.channels, np.float32),
        )

    @property
    def parameters(self) -> dict[str, Parameter]:
        """None."""
        return {}

    def operand_weights(self) -> FloatArray:
        """Blocks of the identity matrix."""
        return self._matrix

    @cached_property
    def _matrix(self) -> FloatArray:
        rows = np.arange(self.geometry.channels)
        matrix = np.zeros((len(rows), self.geometry.fan_in), np.float32)
        matrix[rows, rows % self.geometry.fan_in] = 1
        return matrix

    def set_weight_gradient(self, gradient: FloatArray) -> None:
        """Nothing is trained."""

    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """The inputs, or the largest of each window; the inputs and these are saved."""
        shaped = inputs.reshape(*self.geometry.input_shape, -1)
        if self.geometry.pool == (1, 1) and self.geometry.pools_side_by_side:
            return inputs.reshape(self.geometry.channels, -1, inputs.shape[1]).copy(), None
        largest = self._largest(shaped)
        return largest.reshape(self.geometry.channels, -1, inputs.shape[1]), (
            shaped,
            largest.copy(),
        )

    def _largest(self, maps: FloatArray) -> FloatArray:
        _, height, width = self.geometry.output_shape
        lowest = np.finfo(maps.dtype).min
        largest = np.full((len(maps), height, width, maps.shape[-1]), lowest, maps.dtype)
        for source, target in self._places():
            np.maximum(largest[target], maps[source], out=largest[target])
        return largest

    def _places(self) -> Iterator[tuple[Any, Any]]:
        """For each place in the window: where it is in the map, and the results that it is of."""
        pool, steps = self.geometry.pool, self.geometry.pool_stride or self.geometry.pool
        for y in range(pool[0]):
            for x in range(pool[1]):
                rows = self._inside(0, y - self.geometry.pool_padding[0], steps[0])
                columns = self._inside(1, x - self.geometry.pool_padding[1], steps[1])
                yield (
                    (slice(None), rows[0], columns[0]),
                    (slice(None), rows[1], columns[1]),
                )

    def _inside(self, axis: int, first: int, step: int) -> tuple[slice, slice]:
        """The results whose window has this place inside the map; map positions, then results.

        Parameters
        ----------
        axis : 0 vertical, 1 horizontal
        first : position of the place in the map for the first result
        step : between the windows
        """
        size, results = self.geometry.map_shape[axis], self.geometry.output_shape[1 + axis]
        start = max(0, -(first // step))
        end = min(results, (size - 1 - first) // step + 1)
        begin = first + start * step
        return slice(begin, begin + max(0, end - start) * step, step), slice(start, max(end, start))

    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The gradient goes to the first of the largest of each window."""
        return self.input_gradient(gradient, saved) if inputs else None, None

    def input_gradient(self, gradient: FloatArray, saved: Any) -> FloatArray:
        """Gradient by the inputs; the parameters are those of `sum_gradients`."""
        if saved is None:
            return gradient.reshape(-1, gradient.shape[-1]).copy()
        maps, largest = saved
        by_results = gradient.reshape(largest.shape)
        by_maps = np.zeros_like(maps)
        waiting: NDArray[np.bool_] = np.ones(largest.shape, np.bool_)
        for source, target in self._places():
            chosen = (maps[source] == largest[target]) & waiting[target]
            waiting[target] &= ~chosen
            by_maps[source] += by_results[target] * chosen
        return by_maps.reshape(-1, maps.shape[-1])
