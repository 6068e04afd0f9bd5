"""Sums at mixed widths and their gradients against loops over neurons in integers."""

import numpy as np
import pytest

from axnn.nn.layers import AveragePooling, Convolution, Dense, SourceLayer, Subsampling
from axnn.quantisation.scales import SourceScale, ValueScale
from axnn.quantisation.sums import NO_NEURON, quantised_sums
from qcnpe.spec.fixed import limits, quantize
from qcnpe.spec.geometry import Geometry
from tests.axnn.nn.layers.test_gradients import CONVOLUTIONS, WINDOWS, make_layer

INPUT_BITS = 15
WIDTHS = (16, 8, 4, 2)
BATCH = 3

LAYERS: dict[str, tuple[type[SourceLayer], Geometry]] = {
    name: (Convolution, Geometry(input_shape=(4, 5, 6), channels=4, **values))
    for name, values in CONVOLUTIONS.items()
}
LAYERS["dense"] = (Dense, Geometry.dense(12, 7))
LAYERS["subsampling"] = (Subsampling, WINDOWS)
LAYERS["average"] = (AveragePooling, WINDOWS)


def single_layer(name: str) -> SourceLayer:
    kind, geometry = LAYERS[name]
    if kind is AveragePooling:
        return AveragePooling(name=name, geometry=geometry, function="relu")
    layer = make_layer(kind, geometry, "relu")
    for parameter in layer.parameters.values():
        parameter.value = parameter.value.astype(np.float32)
    return layer


def fine_scale(channels: int, *, unsigned: bool) -> SourceScale:
    """Scales with which some of the inputs and weights saturate, and others do not."""
    rng = np.random.default_rng(7)
    narrow_bits = {width: INPUT_BITS if width == 16 else width - 1 for width in WIDTHS}
    weights = {width: width - 2 + rng.integers(-1, 1, channels) for width in WIDTHS}
    return SourceScale(ValueScale(INPUT_BITS, unsigned, narrow_bits), weights)


def narrow(values, fraction_bits, width, *, unsigned):
    """Rounded and saturated values in real units, and where they were not saturated."""
    low, high = limits(width, unsigned=unsigned)
    wide = quantize(values, fraction_bits, 40)
    return np.clip(wide, low, high) * 2.0**-fraction_bits, (wide >= low) & (wide <= high)


def neuron_operands(layer, scale, width, channel, inputs):
    """What a neuron reads and multiplies by, and where neither was saturated."""
    unsigned = scale.value.reads_unsigned(width)
    bits = scale.value.narrow[width]
    copy, inside = narrow(inputs, bits, width, unsigned=unsigned)
    exponent = int(scale.weights[width][channel])
    weights, weights_inside = narrow(
        layer.operand_weights()[channel], exponent, width, unsigned=False
    )
    zeros = np.zeros((1, inputs.shape[1]))
    return np.concatenate([copy, zeros]), np.concatenate([inside, zeros]), weights, weights_inside


def loops(layer, scale, precision, inputs, by_sums):
    """Sums, gradient by the inputs and by the weights, neuron after neuron."""
    geometry = layer.geometry
    sums = np.zeros(by_sums.shape)
    by_inputs = np.zeros((geometry.inputs + 1, BATCH))
    by_weights = np.zeros(layer.operand_weights().shape)
    for channel, output in np.ndindex(precision.shape):
        width = int(precision[channel, output])
        if width == NO_NEURON:
            continue
        copy, inside, weights, weights_inside = neuron_operands(
            layer, scale, width, channel, inputs
        )
        rows = geometry.gather[geometry.group_of(channel), output]
        found = np.einsum("wkn,k->wn", copy[rows], weights)
        sums[channel, output] = found.max(axis=0)
        for sample, place in enumerate(found.argmax(axis=0)):
            slope = by_sums[channel, output, sample]
            chosen = rows[place]
            by_inputs[chosen, sample] += slope * weights * inside[chosen, sample]
            by_weights[channel] += slope * copy[chosen, sample] * weights_inside
    return sums, by_inputs[:-1], by_weights


def draw(layer, seed, *, unsigned, widths=WIDTHS):
    """Precision of each neuron, inputs on the 16-bit grid, and a gradient."""
    rng = np.random.default_rng(seed)
    geometry = layer.geometry
    shape = (geometry.channels, geometry.outputs)
    precision = rng.choice(np.array(widths, np.uint8), shape)
    codes = rng.integers(0 if unsigned else -32768, 32768, (geometry.inputs, BATCH))
    inputs = (codes * 2.0**-INPUT_BITS).astype(np.float32)
    return precision, inputs, rng.normal(size=(*shape, BATCH)).astype(np.float32)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("widths", [(*WIDTHS, NO_NEURON), (8, 4), (2,), (16,)], ids=str)
def test_sums_and_gradients_are_the_loops(name, unsigned, widths):
    layer = single_layer(name)
    scale = fine_scale(layer.geometry.channels, unsigned=unsigned)
    precision, inputs, by_sums = draw(layer, 1, unsigned=unsigned, widths=widths)
    by_sums *= (precision != NO_NEURON)[:, :, None]
    expected = loops(layer, scale, precision, inputs, by_sums)
    sums = quantised_sums(layer, (scale,), precision)
    found = sums.forward(inputs)
    assert found == pytest.approx(expected[0], abs=1e-5)
    assert found.dtype == np.float32
    by_inputs, by_weights = sums.backward(by_sums)
    assert by_weights is not None
    assert by_inputs == pytest.approx(expected[1], abs=1e-4)
    # A layer that trains one weight a channel only tells what all of the window have together.
    axis = 1 if name in ("subsampling", "average") else ()
    assert by_weights.sum(axis=axis) == pytest.approx(expected[2].sum(axis=axis), abs=1e-4)


def test_the_scale_saturates_some_operands_and_not_others():
    """Or the test above would prove little."""
    layer = single_layer("plain")
    scale = fine_scale(4, unsigned=False)
    _, inputs, _ = draw(layer, 1, unsigned=False)
    for width in WIDTHS[1:]:
        found = [neuron_operands(layer, scale, width, channel, inputs) for channel in range(4)]
        assert 0 < np.mean([inside[:-1] for _, inside, _, _ in found]) < 1
        assert 0 < np.mean([inside for _, _, _, inside in found]) < 1


@pytest.mark.parametrize("name", ["all", "pooled by 4", "dense", "subsampling"])
@pytest.mark.parametrize("widths", [WIDTHS, (8,)], ids=str)
def test_unwanted_gradients_are_left_out_and_change_nothing(name, widths):
    layer = single_layer(name)
    precision, inputs, by_sums = draw(layer, 2, unsigned=False, widths=widths)
    sums = quantised_sums(layer, (fine_scale(layer.geometry.channels, unsigned=False),), precision)
    sums.forward(inputs)
    by_inputs, by_weights = sums.backward(by_sums)
    only_inputs = sums.backward(by_sums, own=False)
    only_weights = sums.backward(by_sums, inputs=False)
    assert only_inputs[1] is None
    assert only_weights[0] is None
    assert only_inputs[0] == pytest.approx(by_inputs, abs=0)
    assert only_weights[1] == pytest.approx(by_weights, abs=0)


@pytest.mark.parametrize("name", ["all", "pooled by 4", "padded"])
def test_small_parts_change_nothing(name, monkeypatch):
    layer = single_layer(name)
    precision, inputs, by_sums = draw(layer, 3, unsigned=True, widths=(8, 4))
    scale = fine_scale(layer.geometry.channels, unsigned=True)
    results = []
    for size in (1 << 20, 1):
        monkeypatch.setattr("axnn.quantisation.sums._GATHERED_BYTES", size)
        sums = quantised_sums(layer, (scale,), precision)
        results.append((sums.forward(inputs), *sums.backward(by_sums)))
    for whole, parts in zip(*results, strict=True):
        assert parts == pytest.approx(whole, abs=1e-5)
