"""Training with the approximation in place: gradients, lines, means of omitted channels."""

import numpy as np
import pytest

from axnn.cpu.chain import chain_of
from axnn.cpu.choice.approximated import Approximated
from axnn.cpu.choice.lowering import lower_channels
from axnn.cpu.choice.model import (
    ApproximateLayer,
    ApproximateNetwork,
    Line,
    absorb,
    fit_clamp,
    fit_line,
    fold,
    input_scales,
    rounded_inputs,
)
from axnn.cpu.choice.scoring import channel_unit, scores
from axnn.cpu.kinds import OMITTED, exact_assignment, ladder, uniform_assignment
from axnn.data import Classes, DataSet, Split
from axnn.data.task import cross_entropy
from axnn.nn.layers import FloatArray
from axnn.nn.network import batch_innermost
from axnn.nn.spec import LayerSpec, NetworkSpec
from tests.axnn.cpu.tiny_nets import make_network, pooled, random_inputs, summed


def as_float64(network):
    for parameter in network.parameters.values():
        parameter.value = parameter.value.astype(np.float64)
    return network


def loss(model, inputs: FloatArray, labels) -> float:
    return float(cross_entropy(model.forward(inputs), labels)[0].sum())


def clamped_assignment(network):
    """Clamps, lines and single positions wherever a ladder has them, but no bytes."""
    found = []
    for index, levels in enumerate(exact_assignment(network)):
        kinds = ladder(network, index)
        usable = [i for i, kind in enumerate(kinds) if kind.operands == "float32"]
        found.append(np.resize(usable, len(levels)).astype(np.uint8))
    return tuple(found)


@pytest.mark.parametrize("spec", [summed(), summed("sigmoid"), pooled()])
def test_gradient_is_that_of_finite_differences(spec):
    network = as_float64(make_network(spec))
    model = ApproximateNetwork(network, clamped_assignment(network), (1.0,) * 9)
    inputs = batch_innermost(random_inputs(network, 4)).astype(np.float64)
    labels = np.array([0, 1, 2, 0])
    model.backward(cross_entropy(model.forward(inputs), labels)[1])
    found = {name: p.gradient.copy() for name, p in model.parameters.items()}
    rng, small = np.random.default_rng(0), 1e-6
    for name, parameter in model.parameters.items():
        flat = parameter.value.reshape(-1)
        for place in rng.choice(flat.size, min(6, flat.size), replace=False):
            before = flat[place]
            flat[place] = before + small
            above = loss(model, inputs, labels)
            flat[place] = before - small
            slope = (above - loss(model, inputs, labels)) / (2 * small)
            flat[place] = before
            assert found[name].reshape(-1)[place] == pytest.approx(slope, abs=2e-5), (name, place)


def test_exact_kinds_are_the_network():
    network = make_network(pooled())
    model = ApproximateNetwork(network, exact_assignment(network), (1.0,) * 5)
    inputs = random_inputs(network, 9)
    np.testing.assert_allclose(model.predict(inputs), network.predict(inputs), atol=1e-6)


def test_bytes_round_to_the_nearest():
    values = np.array([[-2.0, -1.0, -0.503, 0.0, 0.004, 0.0118, 1.0, 9.0]], np.float32)
    # In units of 1/127: cut at 127, else the nearest whole number.
    wanted = np.array([[-127, -127, -64, 0, 1, 1, 127, 127]]) / 127
    np.testing.assert_allclose(rounded_inputs(values, 1 / 127), wanted, atol=1e-7)


def data_of(network, samples=64):
    inputs = random_inputs(network, samples)
    split = Split(inputs, network.predict(inputs).argmax(axis=1).astype(np.int64))
    return DataSet(
        name="made up", classes=Classes.numbered(3), train=split, validation=split, test=split
    )


def test_line_fits_better_than_the_bare_sum():
    network = make_network(summed())
    data = data_of(network)
    exact = Approximated.exact(network, data)
    chosen = [channel_unit(0, channel) for channel in range(5)]
    once = lower_channels(exact, chosen, data)
    lowered = lower_channels(once, chosen, data)
    assert ladder(network, 0)[lowered.assignment[0][0]].function == "linear"
    assert lowered.scales == input_scales(lowered.model(), data.train.inputs)
    assert lowered.scales != exact.scales
    bare = Approximated(network, lowered.assignment, lowered.scales)
    wanted = network.predict(data.train.inputs)
    error = {
        name: np.abs(one.model().predict(data.train.inputs) - wanted).mean()
        for name, one in (("fitted", lowered), ("bare", bare))
    }
    assert error["fitted"] < 0.7 * error["bare"]


def test_omitted_channel_leaves_its_mean():
    network = make_network(summed())
    data = data_of(network)
    lowered = Approximated.exact(network, data)
    layer, channel = 4, 2
    kinds = ladder(network, layer)
    for _ in kinds[1:]:
        lowered = lower_channels(lowered, [channel_unit(layer, channel)], data)
    assert kinds[lowered.assignment[layer][channel]] == OMITTED
    before = network.predict(data.train.inputs).mean(axis=0)
    after = lowered.model().predict(data.train.inputs).mean(axis=0)
    # Not equal: on its way down the channel was clamped first.
    np.testing.assert_allclose(after, before, atol=0.03)


def test_channel_without_reader_saves_nothing_more():
    network = make_network(summed())
    data = data_of(network)
    lowered = Approximated.exact(network, data)
    for _ in range(2):
        lowered = lower_channels(lowered, [channel_unit(1, 3)], data)
    assert ladder(network, 1)[lowered.assignment[1][3]] == OMITTED
    found = scores(lowered, data.train, "replacement", seed=0)
    assert np.isinf(found[0]).tolist() == [False, False, False, True, False]
    assert np.isinf(found[1]).tolist() == [False, False, False, True, False]


def test_uniform_assignment_omits_nothing():
    network = make_network(pooled())
    for index, levels in enumerate(uniform_assignment(network, 99)):
        assert all(ladder(network, index)[level] != OMITTED for level in levels)


def test_gradient_passes_straight_through_the_rounding():
    """Of a dense layer in bytes: that of the rounded weights and the rounded inputs."""
    network = make_network(dense())
    layer = chain_of(network)[0]
    in_bytes = np.ones(5, np.uint8)
    assert ladder(network, 0)[1].operands == "int8"
    scale = 0.01
    model = ApproximateLayer(layer, ladder(network, 0), in_bytes, scale)
    inputs = batch_innermost(random_inputs(network, 4))
    results = model.forward(inputs)
    by_results = np.random.default_rng(2).normal(size=results.shape).astype(np.float32)
    by_inputs = model.backward(by_results)
    step = np.abs(layer.weights.value).max(axis=1, keepdims=True) / 127
    weights = np.rint(layer.weights.value / step) * step
    rounded = np.floor(np.clip(inputs / scale, -127, 127) + 0.5) * scale
    by_sums = by_results * (1 - np.square(np.tanh(weights @ rounded + layer.bias.value[:, None])))
    np.testing.assert_allclose(layer.weights.gradient, by_sums @ rounded.T, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(layer.bias.gradient, by_sums.sum(axis=1), rtol=1e-4)
    assert by_inputs is not None
    np.testing.assert_allclose(by_inputs, weights.T @ by_sums, rtol=1e-3, atol=1e-6)


def dense():
    return NetworkSpec(
        name="dense",
        input_shape=(30, 1, 1),
        layers=(
            LayerSpec(kind="dense", channels=5, function="tanh"),
            LayerSpec(kind="dense", channels=3, function="identity"),
        ),
    )


@pytest.mark.parametrize("index", [2, 4])
def test_readers_of_a_constant_can_do_without_it(index):
    """A convolution without padding, and a dense layer that reads maps."""
    network = make_network(summed())
    reader = chain_of(network)[index]
    channels, height, width = chain_of(network)[index - 1].geometry.output_shape
    maps = np.random.default_rng(0).normal(size=(channels, height * width, 6)).astype(np.float32)
    means = np.zeros((channels, height * width), np.float32)
    gone = np.array([1, 3])
    # A dense layer may read another constant at each position, a convolution only one.
    if reader.geometry.is_dense:
        means[gone] = np.random.default_rng(1).normal(size=(2, height * width))
    else:
        means[gone] = np.array([[0.5], [-2.0]])
    maps[gone] = means[gone, :, None]
    wanted = reader.forward(maps.reshape(-1, 6)).copy()
    absorb(reader, means, gone)
    maps[gone] = 9.0
    np.testing.assert_allclose(reader.forward(maps.reshape(-1, 6)), wanted, atol=1e-5)


def test_folded_line_is_one_of_the_sums():
    network = make_network(summed())
    layer = ApproximateLayer(chain_of(network)[0], ladder(network, 0), np.full(5, 2, np.uint8), 1.0)
    inputs = batch_innermost(random_inputs(network, 7))
    before = layer.forward(inputs).reshape(5, -1).copy()
    line = Line(np.linspace(0.5, 0.9, 5, dtype=np.float32), np.linspace(-1, 1, 5, dtype=np.float32))
    fold(chain_of(network)[0], line, np.array([1, 4]))
    after = layer.forward(inputs).reshape(5, -1)
    wanted = before.copy()
    for channel in (1, 4):
        wanted[channel] = line.slope[channel] * before[channel] + line.offset[channel]
    np.testing.assert_allclose(after, wanted, atol=1e-5)


def test_lines_are_those_of_least_squares():
    network = make_network(summed())
    layer = ApproximateLayer(chain_of(network)[0], ladder(network, 0), np.zeros(5, np.uint8), 1.0)
    layer.forward(batch_innermost(3 * random_inputs(network, 20)))
    assert layer.pre_activations is not None
    z = layer.pre_activations.reshape(5, -1).astype(np.float64)
    line = fit_line(layer)
    for channel in range(5):
        slope, offset = np.polyfit(z[channel], np.tanh(z[channel]), 1)
        assert line.slope[channel] == pytest.approx(slope, rel=1e-4)
        assert line.offset[channel] == pytest.approx(offset, abs=1e-5)


@pytest.mark.parametrize(("function", "steepest"), [("tanh", 1.0), ("sigmoid", 0.25)])
def test_clamp_of_small_sums_has_the_slope_at_zero(function, steepest):
    network = make_network(summed(function))
    layer = chain_of(network)[0]
    layer.weights.value *= 0.01
    layer.bias.value[:] = 0
    model = ApproximateLayer(layer, ladder(network, 0), np.zeros(5, np.uint8), 1.0)
    model.forward(batch_innermost(random_inputs(network, 20)))
    line = fit_clamp(model)
    np.testing.assert_allclose(line.slope, steepest)
    np.testing.assert_allclose(line.offset, 0 if function == "tanh" else 0.5)


def test_scales_hold_the_largest_input():
    network = make_network(summed())
    inputs = random_inputs(network, 40)
    scales = input_scales(network, inputs)
    assert len(scales) == len(chain_of(network))
    assert scales[0] == pytest.approx(np.abs(inputs).max() / 127)
    hidden = chain_of(network)[0].forward(batch_innermost(inputs))
    assert scales[1] == pytest.approx(np.abs(hidden).max() / 127)
