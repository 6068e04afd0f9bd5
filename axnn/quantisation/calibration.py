"""Calibration: the scales of a network, chosen from the samples of its training part."""

import numpy as np
from numpy.typing import NDArray

from axnn.data.scaling import INPUT_LIMIT
from axnn.errors import TrainingError
from axnn.nn.layers import Addition, AveragePooling, FloatArray, Identity, NeuronLayer
from axnn.nn.network import Network, batch_innermost
from axnn.quantisation.quantize import (
    INPUT_FRACTION_BITS,
    Precision,
    QuantisedLayer,
    QuantisedNetwork,
    Scales,
    quantize_inputs,
)
from axnn.quantisation.scales import Grid, LayerScale, ValueScale
from qcnpe.spec.activation import ACTIVATION_FRACTION_BITS, CURVES
from qcnpe.spec.commands import SHIFT_RANGE
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.draws import draw
from qcnpe.spec.fixed import limits, quantize
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.graph import run_joined_graph
from qcnpe.spec.inputs import check_reals

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

_IDENTITY_OPERANDS = 4
"""Operands at most that add up to an identity's 1.0 at a narrow width: a finer grid for the other
weights of the neuron would cost more of them."""


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
    if layer.layer.function in CURVES or isinstance(layer.layer, Identity):
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
    signs = _unsigned_values(network, unsigned)
    values = {NETWORK_INPUT: _value_scale(drawn, INPUT_FRACTION_BITS, signs[NETWORK_INPUT], config)}
    scales = []

    def run(index: int, flat: FloatArray) -> FloatArray:
        layer, wiring = network.neuron_layers[index], network.spec.wirings[index]
        read = tuple(values[source.reads(index)] for source in wiring.sources)
        scale = _calibrate_layer(layer, flat, read, float(reached[index]), config)
        quantised = QuantisedLayer(layer, scale, precision[index], config.table_segments)
        results = quantised.forward(flat)
        bits = scale.output_fraction_bits
        values[index] = _value_scale(results, bits, signs[index], config)
        scales.append(scale)
        return results

    run_joined_graph(network.spec.reads, drawn, run)
    return tuple(scales)


def _unsigned_values(network: Network, unsigned: bool) -> dict[int, bool]:
    """Which layers' results, or the network's inputs, have unsigned copies.

    Those that are never negative; but all operands of a neuron have the same sign, so that a layer
    that reads several decides for all of them.

    Parameters
    ----------
    network : the network
    unsigned : whether its inputs are never negative
    """
    reads = network.spec.reads
    found = {NETWORK_INPUT: unsigned}
    for index, layer in enumerate(network.neuron_layers):
        passes_on = isinstance(layer, Identity | AveragePooling) and all(
            found[read] for read in reads[index]
        )
        found[index] = passes_on or _is_non_negative(layer.function)
    changed = True
    while changed:
        changed = False
        for read in reads:
            if any(found[place] for place in read) and not all(found[place] for place in read):
                found |= dict.fromkeys(read, False)
                changed = True
    return found


def _value_scale(
    values: FloatArray, fraction_bits: int, unsigned: bool, config: EngineConfig
) -> ValueScale:
    """Scales of values as they occur."""
    sample = _drawn_values(values)
    narrow = {
        width: _narrow_fraction_bits(sample, fraction_bits, width, unsigned)
        for width in config.precisions
    }
    return ValueScale(fraction_bits, unsigned, narrow)


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
    flat: FloatArray,
    values: tuple[ValueScale, ...],
    reached: float,
    config: EngineConfig,
) -> LayerScale:
    if layer.function in CURVES:
        own_bits = CURVES[layer.function].input_fraction_bits
        output_bits = ACTIVATION_FRACTION_BITS
    elif isinstance(layer, Identity):
        own_bits = output_bits = values[0].fraction_bits  # its results are inputs
    else:
        own_bits = output_bits = _range_fraction_bits(layer, flat, reached)
    # The shift from accumulator to pre-activation must fit its parameter word.
    reach = np.array(SHIFT_RANGE) + own_bits
    products = {
        width: np.clip(_product_bits(layer, values, width, config), *reach)
        for width in config.precisions
    }
    return LayerScale(
        values=values,
        products=products,
        fraction_bits=own_bits,
        output_fraction_bits=output_bits,
    )


def _product_bits(
    layer: NeuronLayer, values: tuple[ValueScale, ...], width: int, config: EngineConfig
) -> NDArray[np.int64]:
    """(channels,) fraction bits of each neuron's products at a width.

    All sources share them: their weights are compared as they are on the grid of the first one.
    """
    if isinstance(layer, Identity):
        return np.full(layer.geometry.channels, values[0].narrow[width], np.int64)
    parts = layer.parts if isinstance(layer, Addition) else (layer,)
    first = values[0].narrow[width]
    places = [first - value.narrow[width] for value in values]
    weights = np.concatenate(
        [
            np.ldexp(part.operand_weights(), place)
            for part, place in zip(parts, places, strict=True)
            if not isinstance(part, Identity)
        ],
        axis=1,
    )
    identities = [
        place for part, place in zip(parts, places, strict=True) if isinstance(part, Identity)
    ]
    if width < OPERAND_BITS:
        bits = _best_weight_bits(weights, width)
    else:
        bits = _exact_weight_bits(weights, sum(2.0**place for place in identities), config)
    for place in identities:
        operands = _IDENTITY_OPERANDS if width < OPERAND_BITS else 1
        most = int(np.log2(operands * limits(width)[1]))
        bits = np.clip(bits, -place, most - place)
    return first + bits


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


def _narrow_fraction_bits(
    values: FloatArray, fraction_bits: int, width: int, unsigned: bool
) -> int:
    """Fraction bits of a narrow copy with the least squared error, for values as they occur."""
    if width == OPERAND_BITS:
        return fraction_bits
    candidates = range(fraction_bits, fraction_bits - OPERAND_BITS, -1)
    grids = [Grid.of_width(bits, width, unsigned=unsigned) for bits in candidates]
    errors = [float(np.square(grid.round(values)[0] - values).mean()) for grid in grids]
    return candidates[int(np.argmin(errors))]


def _exact_weight_bits(
    weights: FloatArray, identities: float, config: EngineConfig
) -> NDArray[np.int64]:
    """Fraction bits of each neuron's 16-bit weights: no saturation, and no overflow of its sum.

    Parameters
    ----------
    weights : (channels, fan_in)
    identities : sum of the neuron's other weights
    config : the engine
    """
    magnitude = np.abs(weights)
    by_range = _largest_exponent(magnitude.max(axis=1), OPERAND_BITS)
    # The largest sum is that of all |weights| times the largest activation, 2**15.
    accumulator = config.accumulator_bits - OPERAND_BITS + 1
    by_sum = _largest_exponent(magnitude.sum(axis=1) + identities, accumulator)
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
