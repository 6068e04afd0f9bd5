"""Layers that sum each channel over windows side by side: trainable, or an average.

To the engine both are block-diagonal dense layers: depth-wise, with the same weight for every
element of a neuron's window. Equal weights stay equal when they are rounded, so that the window is
summed first and multiplied once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers.neuron import FloatArray, Parameter, SourceLayer
from qcnpe.spec.geometry import Geometry


class WindowSums(SourceLayer):
    """Depth-wise sums over windows that neither overlap nor leave gaps, times one weight a channel.

    Parameters
    ----------
    name, function, bias : see `NeuronLayer`
    geometry : depth-wise, kernel and stride equal, without padding and pooling
    weights : float32 (channels, 1)
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
        depth_wise = geometry.channels == geometry.groups == geometry.input_shape[0]
        plain = not any(geometry.padding) and geometry.pool == (1, 1)
        if not (depth_wise and plain and geometry.kernel == geometry.stride):
            raise ValueError(f"layer {name}: needs depth-wise windows side by side: {geometry}")
        super().__init__(
            name=name, geometry=geometry, function=function, weights=weights, bias=bias
        )

    def operand_weights(self) -> FloatArray:
        """The channel's weight, for every element of its window."""
        return np.repeat(self.weights.value, self.geometry.fan_in, axis=1)

    def set_weight_gradient(self, gradient: FloatArray) -> None:
        """The weight stands for all elements of the window: their gradients add up."""
        self.weights.gradient = gradient.sum(axis=1, keepdims=True)

    def places(self, maps: NDArray[Any]) -> list[NDArray[Any]]:
        """A view of (channels, rows, columns, ...) maps for each element of the window."""
        _, rows, columns = self.geometry.output_shape
        height, width = self.geometry.kernel
        return [
            maps[:, y : rows * height : height, x : columns * width : width]
            for y in range(height)
            for x in range(width)
        ]

    def window_totals(self, inputs: FloatArray) -> FloatArray:
        """(channels, outputs, batch) sums of the windows of (features, batch) inputs."""
        batch = inputs.shape[1]
        first, *others = self.places(inputs.reshape(*self.geometry.input_shape, batch))
        totals = first.copy()
        for place in others:
            totals += place
        return totals.reshape(self.geometry.channels, -1, batch)

    def spread(self, by_totals: FloatArray) -> FloatArray:
        """(features, batch) gradient: every element of a window has that of its sum."""
        _, rows, columns = self.geometry.output_shape
        batch = by_totals.shape[-1]
        by_places = by_totals.reshape(-1, rows, columns, batch)
        by_inputs = np.zeros((*self.geometry.input_shape, batch), by_totals.dtype)
        for place in self.places(by_inputs):
            place[...] = by_places
        return by_inputs.reshape(-1, batch)

    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """Sums of the windows, which are saved, times the weights."""
        totals = self.window_totals(inputs)
        return totals * weights[:, :1, None], totals

    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Gradients; that of the one weight is shared evenly among the window's elements."""
        by_inputs = self.spread(gradient * weights[:, :1, None]) if inputs else None
        if not own:
            return by_inputs, None
        by_weight = np.einsum("cpn,cpn->c", gradient, saved, optimize=True)
        shared = by_weight[:, None] / self.geometry.fan_in
        return by_inputs, np.repeat(shared, self.geometry.fan_in, axis=1)


class Subsampling(WindowSums):
    """LeNet's S2 and S4: one trainable weight and one bias for each channel.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """


class AveragePooling(WindowSums):
    """The mean of each window; nothing is trained.

    Parameters
    ----------
    name, geometry, function : see `WindowSums`
    """

    def __init__(self, *, name: str, geometry: Geometry, function: str) -> None:
        weights = np.full((geometry.channels, 1), 1 / geometry.fan_in, np.float32)
        bias = np.zeros(geometry.channels, np.float32)
        super().__init__(
            name=name, geometry=geometry, function=function, weights=weights, bias=bias
        )

    @property
    def parameters(self) -> dict[str, Parameter]:
        """None."""
        return {}
