"""Quantisation: scales, a forward pass that computes as the engine does, and the integer network.

A layer reads 16-bit integers of `input_fraction_bits` fraction bits. A neuron of width p reads the
copy of them that is rounded and saturated to p bits, and multiplies by weights of p bits. All
scales are powers of two. They are fixed by `calibrate` before a (re)training and stay as they are
during it, so that the weights can converge on the grid.

The training pass works on floating-point numbers that are integers over a power of two, with
straight-through gradients: rounding counts as the identity and saturation stops the gradient.
It agrees with the integers exactly where sums stay below 2**24, to rounding elsewhere.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data.scaling import INPUT_LIMIT
from axnn.errors import TrainingError
from axnn.nn.layers import SLOPES, FloatArray, Layer, NeuronLayer, Parameter
from axnn.nn.network import LayerStack, Network, batch_innermost
from axnn.quantisation.scales import Grid, LayerScale, WidthScale
from axnn.quantisation.sums import QuantisedSums, quantised_sums
from qcnpe.spec.activation import (
    ACTIVATION_FRACTION_BITS,
    CURVES,
    activate,
    function_code,
    table_knots,
)
from qcnpe.spec.commands import SHIFT_RANGE
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.draws import draw
from qcnpe.spec.fixed import limits, quantize
from qcnpe.spec.inputs import check_reals
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands

__all__ = [
    "LayerScale",
    "Precision",
    "QuantisedLayer",
    "QuantisedNetwork",
    "Scales",
    "calibrate",
    "quantize_inputs",
    "to_integers",
    "uniform_precision",
]

INPUT_FRACTION_BITS = 15
"""Fraction bits of a network's inputs, which lie in [-1, 1]."""

_INPUT_GRID = Grid.of_width(INPUT_FRACTION_BITS, OPERAND_BITS)

HEADROOM_BITS = 1
"""Bits that 16-bit weights and results keep free, since training still moves them."""

_DRAWN_SAMPLES = 1024
_DRAWN_VALUES = 1 << 16
"""Samples, and values of a layer, that the search for the best narrow scale looks at: drawn at
random, enough for a mean and few enough to be quick. Signs and ranges are those of all samples."""

_DRAW_SEED = 0
_BLOCK_SAMPLES = 512
"""Samples whose ranges are taken at once, so that memory stays bounded."""

_WEIGHT_SEARCH = 3
"""Exponents above the one that saturates nothing which the search for the best one tries."""

Precision = tuple[NDArray[np.uint8], ...]
"""Width of every neuron: for each layer (channels, outputs), as in `QuantLayer.precision`."""


Scales = tuple[LayerScale, ...]


def uniform_precision(network: Network, width: int) -> Precision:
    """Every neuron at the same width."""
    return tuple(
        np.full((layer.geometry.channels, layer.geometry.outputs), width, np.uint8)
        for layer in network.neuron_layers
    )


class QuantisedLayer(Layer):
    """A layer that computes as the engine does and trains the parameters of the layer it wraps.

    Parameters
    ----------
    layer : the layer in floating point; its parameters are shared, not copied
    scale : fixed scales
    precision : uint8 (channels, outputs) width of each neuron
    segments : of the activation function's table
    """

    def __init__(
        self, layer: NeuronLayer, scale: LayerScale, precision: NDArray[np.uint8], segments: int
    ) -> None:
        self.layer = layer
        self.scale = scale
        self._sums = quantised_sums(layer, scale, precision)
        self._bias_grid = Grid.of_width(scale.fraction_bits, OPERAND_BITS)
        self._values = None
        if layer.function in CURVES:
            self._values = _value_table(layer.function, scale, segments)
        self._inputs: FloatArray | None = None
        self._pre_activations: FloatArray | None = None
        self._results: FloatArray | None = None
        self._passes: NDArray[np.bool_] | None = None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Those of the wrapped layer."""
        return self.layer.parameters

    @property
    def largest_sum(self) -> float:
        """Largest magnitude of the latest forward pass's pre-activations, before saturation."""
        if self._pre_activations is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward first")
        return float(max(self._pre_activations.max(), -self._pre_activations.min()))

    @property
    def results(self) -> FloatArray:
        """(channels, outputs, batch) results of the latest forward pass."""
        if self._results is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward first")
        return self._results

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Results of inputs that lie on the grid of the 16-bit input."""
        sums = self._sums.forward(inputs)
        sums += self._bias()
        self._inputs = inputs
        self._pre_activations = sums
        self._results = self._activate(sums)
        return self._results.reshape(-1, inputs.shape[1])

    def _activate(self, pre_activation: FloatArray) -> FloatArray:
        """Round and saturate the pre-activation and apply the function, as the AFU does.

        Keeps where the gradient passes, so far as it does not depend on the result's value.
        """
        low, high = limits(OPERAND_BITS)
        codes = pre_activation * np.float32(2.0**self.scale.fraction_bits)
        codes += np.float32(0.5)
        np.floor(codes, out=codes)
        self._passes = codes <= high
        if self.layer.function == "relu":
            self._passes &= codes > 0
            low = 0
        else:
            self._passes &= codes >= low
        np.clip(codes, low, high, out=codes)
        if self._values is None:
            codes *= np.float32(2.0**-self.scale.output_fraction_bits)
            return codes
        codes -= low
        return self._values.take(codes.astype(np.int32), mode="clip")

    def sums_at(self, precision: NDArray[np.uint8]) -> QuantisedSums:
        """The same layer's sums at other widths, for `change`."""
        return quantised_sums(self.layer, self.scale, precision)

    def change(self, sums: QuantisedSums) -> FloatArray:
        """(channels, outputs, batch) by how much the latest pass's sums would change.

        Parameters
        ----------
        sums : what `sums_at` returned; neurons that it leaves out have no meaning in the result
        """
        if self._inputs is None or self._pre_activations is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward first")
        change = sums.forward(self._inputs)
        change += self._bias()
        change -= self._pre_activations
        return change

    def _bias(self) -> FloatArray:
        """(channels, 1, 1) bias on its grid."""
        bias, _ = self._bias_grid.round(self.layer.bias.value)
        return bias[:, None, None]

    def pre_activation_gradient(self, gradient: FloatArray) -> FloatArray:
        """(channels, outputs, batch) gradient by the pre-activations; 0 where they saturated."""
        results = self.results
        if self._passes is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward first")
        found: FloatArray = gradient.reshape(results.shape) * self._passes
        if self._values is not None:
            found *= SLOPES[self.layer.function](results)
        return found

    def backward(self, gradient: FloatArray, *, inputs: bool = True) -> FloatArray | None:
        """Straight-through gradients."""
        by_sums = self.pre_activation_gradient(gradient)
        self.layer.bias.gradient = by_sums.sum(axis=(1, 2))
        by_inputs, by_weights = self._sums.backward(by_sums, inputs=inputs)
        if by_weights is not None:
            self.layer.set_weight_gradient(by_weights)
        return by_inputs

    def input_gradient(self, by_sums: FloatArray) -> FloatArray | None:
        """Straight-through gradient by the inputs alone; the parameters' gradients stay.

        Parameters
        ----------
        by_sums : what `pre_activation_gradient` returned
        """
        return self._sums.backward(by_sums, own=False)[0]


def _value_table(function: str, scale: LayerScale, segments: int) -> FloatArray:
    """Result of every 16-bit pre-activation, from the most negative on.

    A look-up is faster than evaluating the line segments, and uses the integer arithmetic.
    """
    low, high = limits(OPERAND_BITS)
    codes = np.arange(low, high + 1)
    values = activate(codes, function_code(function), _knots(function, segments))
    return (values * 2.0**-scale.output_fraction_bits).astype(np.float32)


def _knots(function: str, segments: int) -> NDArray[np.int16] | None:
    return table_knots(function, segments) if function in CURVES else None


class QuantisedNetwork(LayerStack):
    """A network that computes as the engine does and trains the parameters of another one.

    Parameters
    ----------
    network : the network in floating point; its parameters are shared, not copied
    scales : fixed scales of each layer, see `calibrate`
    precision : width of each neuron
    config : the engine; only the number of its table's segments is used
    """

    def __init__(
        self, network: Network, scales: Scales, precision: Precision, config: EngineConfig
    ) -> None:
        self.quantised_layers = tuple(
            QuantisedLayer(layer, scale, widths, config.table_segments)
            for layer, scale, widths in zip(network.neuron_layers, scales, precision, strict=True)
        )
        super().__init__(self.quantised_layers)
        self.precision = precision

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Logits (classes, batch) of real inputs (features, batch), which are quantised first."""
        return super().forward(quantize_inputs(inputs))


def quantize_inputs(inputs: FloatArray) -> FloatArray:
    """A network's inputs on the grid of their 16-bit integers."""
    return _INPUT_GRID.round(inputs)[0]


def calibrate(
    network: Network, inputs: NDArray[np.float32], precision: Precision, config: EngineConfig
) -> Scales:
    """Choose all scales for a network from its training part.

    Layer after layer, each with the results that the layers before it give at their precision.
    Narrow scales have the least error on a random draw of the samples. The inputs' sign and the
    pre-activations' ranges decide what can be represented at all; they are those of all samples:
    one pass over them, and a second one if a sample saturated a layer in the first.

    Parameters
    ----------
    network : with the weights that a retraining will start from
    inputs : (samples, ...) the training part's inputs, in any order
    precision : width of each neuron
    config : the engine; every one of its widths gets scales

    Raises
    ------
    InputError
        If an input is not in [-1, 1].
    TrainingError
        If the network's parameters or sums are not finite.
    """
    check_reals(inputs, INPUT_LIMIT, where="calibration")
    _check_numbers(network, *network.state().values())
    chosen = draw(len(inputs), _DRAWN_SAMPLES, seed=_DRAW_SEED)
    drawn = quantize_inputs(batch_innermost(inputs[chosen]))
    unsigned = bool(inputs.min() >= 0)
    reached = np.zeros(len(precision))
    while True:
        scales = _choose_scales(network, drawn, unsigned, reached, precision, config)
        model = QuantisedNetwork(network, scales, precision, config)
        reached = np.maximum(reached, _largest_sums(model, inputs))
        _check_numbers(network, reached)
        if all(map(_holds, model.quantised_layers, reached)):
            return _choose_scales(network, drawn, unsigned, reached, precision, config)


def _check_numbers(network: Network, *values: NDArray[np.floating]) -> None:
    if not all(np.isfinite(array).all() for array in values):
        raise TrainingError(f"network {network.spec.name} does not give numbers; train it anew")


def _holds(layer: QuantisedLayer, largest: float) -> bool:
    """Whether no pre-activation of this size saturates, or its function is flat there."""
    if layer.layer.function in CURVES:
        return True
    return largest <= limits(OPERAND_BITS)[1] * 2.0**-layer.scale.fraction_bits


def _largest_sums(model: QuantisedNetwork, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each layer's largest magnitude of a pre-activation over all samples."""
    largest = np.zeros(len(model.quantised_layers))
    for start in range(0, len(inputs), _BLOCK_SAMPLES):
        model.forward(batch_innermost(inputs[start : start + _BLOCK_SAMPLES]))
        found = [layer.largest_sum for layer in model.quantised_layers]
        largest = np.maximum(largest, found)
    return largest


def _choose_scales(
    network: Network,
    drawn: FloatArray,
    unsigned: bool,
    reached: NDArray[np.float64],
    precision: Precision,
    config: EngineConfig,
) -> Scales:
    """All scales, from drawn inputs and what the layers' pre-activations are known to reach."""
    values, fraction_bits = drawn, INPUT_FRACTION_BITS
    scales = []
    for layer, largest, widths in zip(network.neuron_layers, reached, precision, strict=True):
        scale = _calibrate_layer(layer, values, fraction_bits, unsigned, float(largest), config)
        values = QuantisedLayer(layer, scale, widths, config.table_segments).forward(values)
        fraction_bits = scale.output_fraction_bits
        unsigned = _is_non_negative(layer.function)
        scales.append(scale)
    return tuple(scales)


def _drawn_values(values: FloatArray) -> FloatArray:
    """A random draw of the values, of bounded size."""
    flat = values.reshape(-1)
    if flat.size <= _DRAWN_VALUES:
        return flat
    return flat[np.random.default_rng(_DRAW_SEED).integers(0, flat.size, _DRAWN_VALUES)]


def _is_non_negative(function: str) -> bool:
    return function == "relu" or (function in CURVES and CURVES[function].non_negative)


def _calibrate_layer(
    layer: NeuronLayer,
    values: FloatArray,
    fraction_bits: int,
    unsigned: bool,
    reached: float,
    config: EngineConfig,
) -> LayerScale:
    weights = layer.operand_weights()
    if layer.function in CURVES:
        own_bits = CURVES[layer.function].input_fraction_bits
        output_bits = ACTIVATION_FRACTION_BITS
    else:
        own_bits = output_bits = _range_fraction_bits(layer, values, reached)
    sample = _drawn_values(values)
    widths = {}
    for width in config.precisions:
        narrow_unsigned = unsigned and width < OPERAND_BITS
        input_bits = _input_fraction_bits(sample, fraction_bits, width, narrow_unsigned)
        if width < OPERAND_BITS:
            exponents = _best_weight_bits(weights, width)
        else:
            exponents = _exact_weight_bits(weights, config)
        # The shift from accumulator to pre-activation must fit its parameter word.
        reach = np.array(SHIFT_RANGE) - input_bits + own_bits
        widths[width] = WidthScale(input_bits, np.clip(exponents, *reach))
    return LayerScale(
        input_fraction_bits=fraction_bits,
        input_unsigned=unsigned,
        fraction_bits=own_bits,
        output_fraction_bits=output_bits,
        widths=widths,
    )


def _range_fraction_bits(layer: NeuronLayer, values: FloatArray, reached: float) -> int:
    """Fraction bits with which no pre-activation saturates, with headroom.

    Neither those of these inputs nor those that are known to be `reached`.
    """
    sums, _ = layer.sums(values, layer.operand_weights())
    largest = max(reached, float(np.abs(sums + layer.bias.value[:, None, None]).max()))
    return int(_largest_exponent(np.array(largest), OPERAND_BITS)) - HEADROOM_BITS


def _largest_exponent(magnitude: NDArray[np.floating], bits: int) -> NDArray[np.int64]:
    """Most fraction bits with which a number of this magnitude fits into so many bits."""
    tiny = 2.0 ** -SHIFT_RANGE[1]  # a zero fits with any number; this one keeps shifts in range
    exponent = np.floor(np.log2(limits(bits)[1] / np.maximum(magnitude, tiny)))
    return exponent.astype(np.int64)


def _input_fraction_bits(values: FloatArray, fraction_bits: int, width: int, unsigned: bool) -> int:
    """Fraction bits of a narrow copy with the least squared error, for values as they occur."""
    if width == OPERAND_BITS:
        return fraction_bits
    candidates = range(fraction_bits, fraction_bits - OPERAND_BITS, -1)
    grids = [Grid.of_width(bits, width, unsigned=unsigned) for bits in candidates]
    errors = [float(np.square(grid.round(values)[0] - values).mean()) for grid in grids]
    return candidates[int(np.argmin(errors))]


def _exact_weight_bits(weights: FloatArray, config: EngineConfig) -> NDArray[np.int64]:
    """Fraction bits of each neuron's 16-bit weights: no saturation, and no overflow of its sum."""
    magnitude = np.abs(weights)
    by_range = _largest_exponent(magnitude.max(axis=1), OPERAND_BITS)
    # The largest sum is that of all |weights| times the largest activation, 2**15.
    accumulator = config.accumulator_bits - OPERAND_BITS + 1
    by_sum = _largest_exponent(magnitude.sum(axis=1), accumulator)
    return np.minimum(by_range, by_sum) - HEADROOM_BITS


def _best_weight_bits(weights: FloatArray, width: int) -> NDArray[np.int64]:
    """Fraction bits of each neuron's narrow weights with the least squared error.

    Saturating the few large weights pays at low widths, since it makes all others finer.
    """
    smallest = _largest_exponent(np.abs(weights).max(axis=1), width)
    candidates = smallest + np.arange(-1, _WEIGHT_SEARCH + 1)[:, None]
    grid = candidates[:, :, None]
    errors = np.square(quantize(weights, grid, width) * np.exp2(-grid) - weights).mean(axis=2)
    best = np.argmin(errors, axis=0)
    return np.take_along_axis(candidates, best[None], axis=0)[0]


def to_integers(
    network: Network,
    scales: Scales,
    precision: Precision,
    config: EngineConfig,
    *,
    notes: Mapping[str, Any] | None = None,
) -> QuantNet:
    """The network in integers, with the operands of the widths that it uses.

    Parameters
    ----------
    network : the trained network
    scales : those that it was trained with
    precision : width of each neuron
    config : the engine that it is for
    notes : free JSON-compatible facts for reports
    """
    layers = zip(network.neuron_layers, scales, precision, strict=True)
    return QuantNet(
        name=network.spec.name,
        input_fraction_bits=INPUT_FRACTION_BITS,
        layers=tuple(_integer_layer(*entry, config) for entry in layers),
        notes=dict(notes or {}),
        engine=config,
    )


def _integer_layer(
    layer: NeuronLayer, scale: LayerScale, precision: NDArray[np.uint8], config: EngineConfig
) -> QuantLayer:
    bias = quantize(layer.bias.value, scale.fraction_bits, OPERAND_BITS)
    return QuantLayer(
        name=layer.name,
        geometry=layer.geometry,
        function=layer.function,
        table=_knots(layer.function, config.table_segments),
        bias=bias.astype(np.int16),
        precision=precision,
        input_unsigned=scale.input_unsigned,
        widths={
            width: _width_operands(layer, scale, width) for width in np.unique(precision).tolist()
        },
    )


def _width_operands(layer: NeuronLayer, scale: LayerScale, width: int) -> WidthOperands:
    chosen = scale.widths[width]
    exponents = chosen.weight_fraction_bits
    weights = quantize(layer.operand_weights(), exponents[:, None], width)
    shift = chosen.input_fraction_bits + exponents - scale.fraction_bits
    return WidthOperands(
        weights=weights.astype(np.int16),
        shift=shift.astype(np.int8),
        input_shift=scale.input_fraction_bits - chosen.input_fraction_bits,
    )
