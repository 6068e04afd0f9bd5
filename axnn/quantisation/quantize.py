"""The forward pass that computes as the engine does, and its backward pass.

A layer reads 16-bit integers. A neuron of width p reads the copy of them that is rounded and
saturated to p bits, and multiplies by weights of p bits. All scales are powers of two. They are
fixed by `axnn.quantisation.calibration` before a (re)training and stay as they are during it, so
that the weights can converge on the grid.

The training pass works on floating-point numbers that are integers over a power of two, with
straight-through gradients: rounding counts as the identity and saturation stops the gradient.
It agrees with the integers exactly where sums stay below 2**24, to rounding elsewhere.
"""

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers import SLOPES, FloatArray, Layer, NeuronLayer, Parameter
from axnn.nn.network import LayerStack, Network
from axnn.quantisation.scales import Grid, LayerScale
from axnn.quantisation.sums import QuantisedAddition, QuantisedSums, quantised_sums
from qcnpe.spec.activation import CURVES, activate, function_code, table_knots
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.fixed import limits

INPUT_FRACTION_BITS = 15
"""Fraction bits of a network's inputs, which lie in [-1, 1]."""

_INPUT_GRID = Grid.of_width(INPUT_FRACTION_BITS, OPERAND_BITS)

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
        self._sums = quantised_sums(layer, scale.sources, precision)
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

    def sums_at(self, precision: NDArray[np.uint8]) -> QuantisedSums | QuantisedAddition:
        """The same layer's sums at other widths, for `change`."""
        return quantised_sums(self.layer, self.scale.sources, precision)

    def change(self, sums: QuantisedSums | QuantisedAddition) -> FloatArray:
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
    values = activate(codes, function_code(function), knots_of(function, segments))
    return (values * 2.0**-scale.output_fraction_bits).astype(np.float32)


def knots_of(function: str, segments: int) -> NDArray[np.int16] | None:
    """The table of an activation function, or None if the engine needs none."""
    return table_knots(function, segments) if function in CURVES else None


class QuantisedNetwork(LayerStack):
    """A network that computes as the engine does and trains the parameters of another one.

    Parameters
    ----------
    network : the network in floating point; its parameters are shared, not copied
    scales : fixed scales of each layer, see `axnn.quantisation.calibration`
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
        super().__init__(self.quantised_layers, network.spec.reads)
        self.precision = precision

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Logits (classes, batch) of real inputs (features, batch), which are quantised first."""
        return super().forward(quantize_inputs(inputs))


def quantize_inputs(inputs: FloatArray) -> FloatArray:
    """A network's inputs on the grid of their 16-bit integers."""
    return _INPUT_GRID.round(inputs)[0]
