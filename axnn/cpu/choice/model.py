"""Training with the approximation in place: layers whose channels are of different kinds.

The forward pass computes what the kernels compute. The backward pass treats rounding as the
identity (straight-through estimator) and uses the true slope of a clamp.
"""

from copy import copy, deepcopy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.chain import chain_of
from axnn.cpu.kernels.stages import BYTE_LIMIT, BYTE_ZERO, quantised_weights
from axnn.cpu.kinds import Assignment, Kind, ladder
from axnn.nn.layers import (
    SLOPES,
    Convolution,
    Dense,
    FloatArray,
    Layer,
    Parameter,
    SourceLayer,
    activate,
)
from axnn.nn.network import LayerStack, Network, batch_innermost

_BLOCK_SAMPLES = 512
"""Samples whose ranges are computed together, which bounds the memory."""

Channels = NDArray[np.intp]


def rounded_inputs(values: FloatArray, scale: float) -> FloatArray:
    """Values rounded as by the kernels' bytes."""
    factor = np.float32(1 / scale)
    whole = np.clip(values * factor, -BYTE_LIMIT, BYTE_LIMIT) + np.float32(BYTE_ZERO + 0.5)
    return (np.floor(whole) - np.float32(BYTE_ZERO)) * np.float32(scale)


class _Part:
    """Channels of a layer whose sums are computed in the same way, as a layer of their own.

    Parameters
    ----------
    layer : the whole layer
    channels : which of its channels
    kind : how their sums are computed
    """

    def __init__(self, layer: SourceLayer, channels: Channels, kind: Kind) -> None:
        self.channels = channels
        self.in_bytes = kind.operands == "int8"
        self._layer = layer
        self._size = layer.geometry.output_shape[1:]
        self._own = _of_channels(layer, channels, one_position=kind.positions == "one")

    def forward(self, inputs: FloatArray) -> FloatArray:
        """(channels, outputs, batch) pre-activations."""
        weights = self._layer.weights.value[self.channels]
        if self.in_bytes:
            rounded, scale = quantised_weights(weights)
            weights = rounded * scale[:, None]
        self._own.weights.value = weights
        self._own.bias.value = self._layer.bias.value[self.channels]
        found = self._own.forward(inputs).reshape(*self._own.geometry.output_shape, -1)
        # The first position of an incomplete last window, which has no result, is cut off.
        kept = found[:, : self._size[0], : self._size[1]]
        return kept.reshape(len(self.channels), -1, inputs.shape[1])

    def backward(self, by_sums: FloatArray, *, inputs: bool) -> FloatArray | None:
        """Set the gradients of these channels' parameters; return the gradient by the inputs."""
        by_found = np.zeros((*self._own.geometry.output_shape, by_sums.shape[-1]), by_sums.dtype)
        by_found[:, : self._size[0], : self._size[1]] = by_sums.reshape(
            len(by_sums), *self._size, -1
        )
        by_inputs = self._own.backward(by_found, inputs=inputs)
        for whole, own in (
            (self._layer.weights, self._own.weights), (self._layer.bias, self._own.bias)
        ):  # fmt: skip
            whole.gradient[self.channels] = own.gradient
        return by_inputs


def _of_channels(layer: SourceLayer, channels: Channels, *, one_position: bool) -> SourceLayer:
    """The sums of some channels, as a layer with identity function and parameters of its own.

    With `one_position`, only the first position of each window is computed.
    """
    weights, bias = layer.weights.value[channels], layer.bias.value[channels]
    if len(channels) == layer.geometry.channels and not one_position:
        whole = copy(layer)
        whole.function = "identity"
        whole.weights, whole.bias = Parameter(weights, decays=True), Parameter(bias, decays=False)
        return whole
    geometry = replace(layer.geometry, channels=len(channels))
    if one_position:
        down, right = (s * p for s, p in zip(geometry.stride, geometry.pool, strict=True))
        geometry = replace(geometry, stride=(down, right), pool=(1, 1))
    kind = Dense if isinstance(layer, Dense) else Convolution
    return kind(name=layer.name, geometry=geometry, function="identity", weights=weights, bias=bias)


class ApproximateLayer(Layer):
    """A layer of neurons whose channels are of different kinds.

    Parameters
    ----------
    layer : the exact layer, whose parameters are trained
    kinds : the layer's ladder
    levels : (channels,) level of each channel on the ladder
    scale : of the bytes of the layer's inputs

    Attributes
    ----------
    constants : (channels, outputs) results of omitted channels: zero, or their means while the
        omission is scored
    """

    def __init__(
        self, layer: SourceLayer, kinds: tuple[Kind, ...], levels: NDArray[np.uint8], scale: float
    ) -> None:
        self.layer = layer
        self.scale = scale
        of_channel = [kinds[level] for level in levels]
        self._parts = tuple(_parts(layer, of_channel))
        self._functions = {
            name: np.flatnonzero([kind.function == name for kind in of_channel])
            for name in ("exact", "clamp", "omitted")
        }
        self.constants: FloatArray = np.zeros(
            (layer.geometry.channels, layer.geometry.outputs), np.float32
        )
        self._low = 0 if layer.function == "sigmoid" else -1
        self.pre_activations: FloatArray | None = None
        self.results: FloatArray | None = None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The layer's."""
        return self.layer.parameters

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Sums by part, then the function of each channel."""
        geometry = self.layer.geometry
        batch = inputs.shape[1]
        sums = np.empty((geometry.channels, geometry.outputs, batch), inputs.dtype)
        for part in self._parts:
            operands = rounded_inputs(inputs, self.scale) if part.in_bytes else inputs
            sums[part.channels] = part.forward(operands)
        self.pre_activations = sums
        self.results = self._activate(sums)
        return self.results.reshape(-1, batch)

    def _activate(self, sums: FloatArray) -> FloatArray:
        results = sums.copy()
        exact, clamped = self._functions["exact"], self._functions["clamp"]
        results[exact] = activate(self.layer.function, sums[exact])
        results[clamped] = np.clip(sums[clamped], self._low, 1)
        gone = self._functions["omitted"]
        results[gone] = self.constants[gone, :, None]
        return results

    def backward(self, gradient: FloatArray, *, inputs: bool = True) -> FloatArray | None:
        """Gradients of all parts."""
        by_sums = self._by_sums(gradient)
        by_inputs: FloatArray | None = None
        for part in self._parts:
            back = part.backward(by_sums[part.channels], inputs=inputs)
            if back is not None:
                by_inputs = back if by_inputs is None else by_inputs + back
        return by_inputs

    def _by_sums(self, gradient: FloatArray) -> FloatArray:
        if self.results is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward before backward")
        by_sums = gradient.reshape(self.results.shape).copy()
        exact, clamped = self._functions["exact"], self._functions["clamp"]
        by_sums[exact] *= SLOPES[self.layer.function](self.results[exact])
        inside = self.results[clamped]
        by_sums[clamped] *= (inside > self._low) & (inside < 1)
        by_sums[self._functions["omitted"]] = 0
        return by_sums


def _parts(layer: SourceLayer, kinds: list[Kind]) -> list[_Part]:
    """Channels grouped by how their sums are computed."""
    ways: dict[tuple[str, str], list[int]] = {}
    for channel, kind in enumerate(kinds):
        ways.setdefault((kind.operands, kind.positions), []).append(channel)
    return [_Part(layer, np.array(found), kinds[found[0]]) for found in ways.values()]


class ApproximateNetwork(LayerStack):
    """A network whose channels are of different kinds; it shares the network's parameters.

    Parameters
    ----------
    network : the exact network, whose parameters are trained
    assignment : the kind of each channel
    scales : of the bytes of each layer's inputs
    """

    def __init__(self, network: Network, assignment: Assignment, scales: tuple[float, ...]) -> None:
        own = iter(range(len(chain_of(network))))
        layers: list[Layer] = []
        for layer in network.layers:
            if isinstance(layer, SourceLayer):
                index = next(own)
                layers.append(
                    ApproximateLayer(
                        layer, ladder(network, index), assignment[index], scales[index]
                    )
                )
            else:
                layers.append(layer)
        super().__init__(layers)
        self.approximate_layers = tuple(
            layer for layer in layers if isinstance(layer, ApproximateLayer)
        )


def input_scales(network: LayerStack, inputs: NDArray[np.float32]) -> tuple[float, ...]:
    """For each layer of neurons, the scale at which bytes hold its inputs for all samples.

    Parameters
    ----------
    network : the network, approximate or exact
    inputs : (samples, ...) the training part's inputs, in any order
    """
    starts = range(0, len(inputs), _BLOCK_SAMPLES)
    blocks = (batch_innermost(inputs[start : start + _BLOCK_SAMPLES]) for start in starts)
    largest = np.max([_largest_inputs(network, block) for block in blocks], axis=0)
    return tuple((np.maximum(largest, 1e-6) / BYTE_LIMIT).tolist())


def _largest_inputs(network: LayerStack, values: FloatArray) -> list[float]:
    """Largest magnitude that each layer of neurons reads for (features, batch) inputs."""
    largest = []
    for layer in network.layers:
        if layer.parameters or isinstance(layer, SourceLayer | ApproximateLayer):
            largest.append(float(np.abs(values).max()))
        values = layer.forward(values)
    return largest


@dataclass(frozen=True, eq=False)
class Line:
    """slope * z + offset, for each channel, close to a squashing function of z."""

    slope: FloatArray
    offset: FloatArray


def fit_line(layer: ApproximateLayer) -> Line:
    """The lines closest to the function over the latest pre-activations, by least squares."""
    if layer.pre_activations is None:
        raise RuntimeError(f"layer {layer.layer.name}: call forward before fit_line")
    z = layer.pre_activations.reshape(len(layer.pre_activations), -1).astype(np.float64)
    y = activate(layer.layer.function, z)
    z_mean, y_mean = z.mean(axis=1), y.mean(axis=1)
    spread = np.square(z - z_mean[:, None]).mean(axis=1)
    common = ((z - z_mean[:, None]) * (y - y_mean[:, None])).mean(axis=1)
    slope = np.where(spread > 0, common / np.maximum(spread, 1e-30), 1.0)
    return Line(slope.astype(np.float32), (y_mean - slope * z_mean).astype(np.float32))


def fit_clamp(layer: ApproximateLayer) -> Line:
    """The lines that, clamped to the function's range, are closest to it, out of eleven slopes."""
    if layer.pre_activations is None:
        raise RuntimeError(f"layer {layer.layer.name}: call forward before fit_clamp")
    z = layer.pre_activations.reshape(len(layer.pre_activations), -1)
    y = activate(layer.layer.function, z)
    squashed_by, middle, low = (4, 0.5, 0) if layer.layer.function == "sigmoid" else (1, 0.0, -1)
    slopes = np.linspace(0.5, 1.0, 11, dtype=np.float32) / squashed_by
    errors = [np.square(np.clip(slope * z + middle, low, 1) - y).mean(axis=1) for slope in slopes]
    slope = slopes[np.argmin(errors, axis=0)]
    return Line(slope, np.full_like(slope, middle))


def fold(layer: SourceLayer, line: Line, channels: Channels) -> None:
    """Change the channels' parameters so that their sums become slope * sum + offset."""
    layer.weights.value[channels] *= line.slope[channels, None]
    layer.bias.value[channels] *= line.slope[channels]
    layer.bias.value[channels] += line.offset[channels]


def one_level_down(
    layer: ApproximateLayer, kinds: tuple[Kind, ...], levels: NDArray[np.uint8]
) -> tuple[ApproximateLayer, Channels]:
    """A copy of the layer with every channel lowered by one level if possible, and which are.

    A line that replaces a function is folded into the copy's parameters.
    """
    lowered = np.minimum(levels + 1, len(kinds) - 1).astype(np.uint8)
    changed = deepcopy(layer.layer)
    for line, members in line_below(layer, kinds, levels):
        fold(changed, line, members)
    trial = ApproximateLayer(changed, kinds, lowered, layer.scale)
    if layer.results is not None:
        trial.constants = layer.results.mean(axis=2)
    return trial, np.flatnonzero(lowered > levels)


def absorb(reader: SourceLayer, means: FloatArray, channels: Channels) -> None:
    """Add the means of these channels, (channels, outputs), to the biases of the layer `reader`.

    The weights that read the channels become zero, since they would widen the scale of weights in
    bytes. The correction ignores that windows at the edge of a padded map read fewer values;
    retraining compensates for it.
    """
    count, outputs = means.shape
    weights = reader.weights.value.reshape(len(reader.weights.value), count, -1)
    if weights.shape[2] == outputs and reader.geometry.outputs == 1:
        reader.bias.value += np.einsum("ncp,cp->n", weights[:, channels], means[channels])
    else:
        reader.bias.value += weights[:, channels].sum(axis=2) @ means[channels].mean(axis=1)
    weights[:, channels] = 0


def line_below(
    layer: ApproximateLayer, kinds: tuple[Kind, ...], levels: NDArray[np.uint8]
) -> list[tuple[Line, Channels]]:
    """The lines that replace the exact function at the next level, each with its channels."""
    found = []
    for level in range(len(kinds) - 1):
        members = np.flatnonzero(levels == level)
        before, after = kinds[level].function, kinds[level + 1].function
        if len(members) and before == "exact" and after in ("clamp", "linear"):
            found.append((fit_clamp(layer) if after == "clamp" else fit_line(layer), members))
    return found
