"""Training with the approximation in place: gradients, lines, means of omitted channels."""

import numpy as np
import pytest

from axnn.cpu.choose import Approximated, lower_channels
from axnn.cpu.kinds import OMITTED, exact_assignment, ladder, uniform_assignment
from axnn.cpu.model import ApproximateNetwork, rounded_inputs
from axnn.data import DataSet, Split
from axnn.layers import FloatArray
from axnn.network import batch_innermost
from axnn.train import cross_entropy
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
    for index, steps in enumerate(exact_assignment(network)):
        kinds = ladder(network, index)
        usable = [i for i, kind in enumerate(kinds) if kind.operands == "float32"]
        found.append(np.resize(usable, len(steps)).astype(np.uint8))
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
    return DataSet(name="made up", classes=3, train=split, validation=split, test=split)


def test_line_fits_better_than_the_bare_sum():
    network = make_network(summed())
    data = data_of(network)
    exact = Approximated.exact(network, data)
    chosen = [(0, channel) for channel in range(5)]
    once = lower_channels(exact, chosen, data)
    lowered = lower_channels(once, chosen, data)
    assert ladder(network, 0)[lowered.assignment[0][0]].function == "linear"
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
        lowered = lower_channels(lowered, [(layer, channel)], data)
    assert kinds[lowered.assignment[layer][channel]] == OMITTED
    before = network.predict(data.train.inputs).mean(axis=0)
    after = lowered.model().predict(data.train.inputs).mean(axis=0)
    # Not equal: on its way down the channel was clamped first.
    np.testing.assert_allclose(after, before, atol=0.03)


def test_uniform_assignment_omits_nothing():
    network = make_network(pooled())
    for index, steps in enumerate(uniform_assignment(network, 99)):
        assert all(ladder(network, index)[step] != OMITTED for step in steps)
