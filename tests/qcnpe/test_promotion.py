"""Promotion lowers the cost, never a precision, and changes nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axnn.approximation.search import take_share
from axnn.approximation.tiles import form_tiles, lower
from axnn.quantisation.quantize import Precision
from qcnpe.compiler import compile_network
from qcnpe.promotion import promote
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import WidthOperands
from tests.qcnpe.networks import by_channel, geometries, network, random_inputs, random_layer

CONFIG = EngineConfig(rows=4, cols=4)
WHOLE_RANGE = {16: 0, 8: 8, 4: 12, 2: 14}
"""Shifts of narrow copies that hold every 16-bit value, rounded."""
SEEDS = st.integers(0, 2**32 - 1)


def dense(widths, inputs=6, seed=1):
    """A network of one dense layer whose neurons have these widths."""
    geometry = Geometry.dense(inputs, len(widths))
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, geometry, precision=by_channel(widths, geometry))
    return network(at_shifts(layer, WHOLE_RANGE))


def at_shifts(layer, shifts):
    """The layer with other narrow copies of its inputs."""
    widths = {
        width: WidthOperands(operands.weights, operands.shift, (shifts[width],))
        for width, operands in layer.widths.items()
    }
    return replace(layer, widths=widths)


def widths_of(net):
    return net.layers[0].precision[:, 0].tolist()


def cycles(net, config=CONFIG, batch=8):
    return compile_network(net, config, batch).cycles


@pytest.mark.parametrize(
    ("widths", "promoted"),
    [
        ([16, 8, 16, 16], [16, 16, 16, 16]),  # fills the tile beside it
        ([16, 8, 16, 8], [16, 16, 16, 16]),
        ([16, 8, 16, 8, 8], [16, 8, 16, 8, 8]),  # the other tile has no room for three
        ([8, 8, 2, 16, 16, 16, 16], [8, 8, 8, 16, 16, 16, 16]),  # the full tile stays as it is
        ([8, 4, 8, 8, 2, 2, 4, 4, 4], [8, 4, 8, 8, 2, 2, 4, 4, 4]),
        ([2, 2, 2, 2, 2, 4, 4, 4, 4, 4], [2, 2, 2, 2, 4, 4, 4, 4, 4, 4]),  # only the last tile
    ],
)
def test_neurons_that_fill_idle_columns_are_promoted(widths, promoted):
    net = dense(widths, inputs=200)
    found = promote(net, CONFIG, 8)
    assert widths_of(found) == promoted
    assert (cycles(found) < cycles(net)) == (widths != promoted)


def test_prices_decide_what_is_cheaper():
    """Energy for each beat of an NCU at 16 bits; a saved cycle must be worth what it takes."""
    net = dense([16, 8, 8, 16], inputs=200)
    for idle, promoted in ((0.01, 2), (10.0, 4)):
        prices = {16: 1.0, 8: 0.6}

        def cost(counts, idle=idle, prices=prices):
            beats = counts.ncu_beats.items()
            return counts.ncu_idle_cycles * idle + sum(prices[w] * n for w, n in beats)

        assert widths_of(promote(net, CONFIG, 8, cost)).count(16) == promoted


def test_a_promoted_neuron_loses_nothing_but_the_rounding_of_its_inputs():
    """Its sum is that of its narrow weights and of the inputs as they are, rounded once."""
    net = dense([16, 4, 16], inputs=7, seed=3)
    inputs = random_inputs(np.random.default_rng(4), net, 50)
    found = infer(promote(net, CONFIG, 8), inputs)[:, 1]
    layer = net.layers[0]
    narrow = layer.widths[4]
    places = int(narrow.shift[1]) + narrow.input_shifts[0]
    for sample, result in zip(inputs.tolist(), found.tolist(), strict=True):
        total = sum(w * x for w, x in zip(narrow.weights[1].tolist(), sample, strict=True))
        half = 1 << places >> 1
        value = ((total + half) >> places) + int(layer.bias[1])
        assert result == max(-32768, min(32767, value))


@settings(max_examples=60)
@given(geometries(), SEEDS, st.integers(1, 3))
def test_promotion_changes_nothing_else(geometry, seed, batch):
    """Inputs that the narrow copies hold exactly give the same; other neurons do with any input."""
    rng = np.random.default_rng(seed)
    net = network(random_layer(rng, geometry, function="relu"))
    found = promote(net, CONFIG, batch)
    before, after = net.layers[0].precision, found.layers[0].precision
    assert (after >= before).all()
    assert cycles(found, batch=batch) <= cycles(net, batch=batch)
    assert (cycles(found, batch=batch) < cycles(net, batch=batch)) == bool((after > before).any())
    inputs = random_inputs(rng, net, 3)
    same = (after == before).reshape(-1)
    np.testing.assert_array_equal(infer(found, inputs)[:, same], infer(net, inputs)[:, same])
    # At 2 bits a copy holds -2 to 1 steps, of up to 2**14 each.
    exact = (rng.integers(-2, 2, inputs.shape) << 14).astype(np.int16)
    coarse = replace(net, layers=(at_shifts(net.layers[0], WHOLE_RANGE),))
    promoted = promote(coarse, CONFIG, batch)
    np.testing.assert_array_equal(infer(promoted, exact), infer(coarse, exact))


@pytest.mark.parametrize("wide_shift", [7, 9])
def test_no_neuron_loses_range_or_steps(wide_shift):
    """A wide copy that saturates earlier, or is coarser, than the narrow one is no gain."""
    net = dense([8, 4], inputs=40)
    layer = at_shifts(net.layers[0], {16: 0, 8: wide_shift, 4: 8 if wide_shift == 9 else 12, 2: 0})
    net = replace(net, layers=(layer,))
    assert widths_of(promote(net, CONFIG, 8)) == [8, 4]


def test_weights_that_are_used_elsewhere_stay():
    """Channel 1 computes at 16 bits, with weights of its own, at its other outputs."""
    geometry = Geometry(input_shape=(8, 1, 2), channels=2)
    precision = np.array([[16, 16], [8, 16]], np.uint8)
    net = network(random_layer(np.random.default_rng(1), geometry, precision=precision))
    assert cycles(net) > cycles(promote(dense([16, 8], inputs=8), CONFIG, 8))
    np.testing.assert_array_equal(promote(net, CONFIG, 8).layers[0].precision, precision)


@settings(max_examples=30)
@given(geometries(), SEEDS)
def test_nothing_is_left_to_promote_in_whole_tiles(geometry, seed):
    """Where widths were lowered by whole tiles, at most one tile in each place is not full."""
    rng = np.random.default_rng(seed)
    shape = (geometry.channels, geometry.outputs)
    precision: Precision = (np.full(shape, 16, np.uint8),)
    frozen = (np.zeros(shape, np.bool_),)
    for _ in range(4):
        scores = (rng.random(shape),)
        tiles = form_tiles(scores, precision, frozen, [geometry], CONFIG)
        if tiles:
            precision = lower(precision, take_share(tiles, float(rng.random())), CONFIG)
    net = network(random_layer(rng, geometry, precision=precision[0]))
    found = promote(net, CONFIG, 4)
    np.testing.assert_array_equal(found.layers[0].precision, precision[0])
