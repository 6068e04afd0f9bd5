"""Columns over output positions: the same integers, in fewer cycles."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qcnpe.blocking import block_network, choose_factors, compile_blocked
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.maps import block_order, patch_order
from tests.qcnpe.networks import (
    geometries,
    network,
    random_graph,
    random_inputs,
    random_layer,
)

SEEDS = st.integers(0, 2**32 - 1)


def test_order_of_a_blocked_map():
    """Two lines of four columns, two channels; pairs of columns become channels."""
    values = np.arange(16).reshape(2, 2, 4)
    found = values.ravel()[block_order((2, 2, 4), 2)].reshape(4, 2, 2)
    assert found[0].tolist() == [[0, 2], [4, 6]]
    assert found[1].tolist() == [[1, 3], [5, 7]]
    assert found[3].tolist() == [[9, 11], [13, 15]]


@settings(max_examples=30)
@given(geometries(), SEEDS, st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_blocked_layers_compute_the_same(geometry, seed, read, made, columns):
    """Kernels, strides, dilation, paddings and groups; a dense layer reads the blocked map."""
    rng = np.random.default_rng(seed)
    depth, height, _ = geometry.input_shape
    width = geometry.input_shape[2] * read * columns
    geometry = Geometry(
        input_shape=(depth, height, width),
        channels=geometry.channels,
        kernel=geometry.kernel,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        groups=geometry.groups,
    )
    positions = geometry.output_shape[2]
    assume(positions % made == 0)
    assume(positions == made or geometry.stride[1] * made % read == 0)
    net = network(
        random_layer(rng, geometry, function="tanh"),
        random_layer(rng, Geometry.dense(geometry.channels * geometry.outputs, 3)),
    )
    blocked = block_network(net, {-1: read, 0: made, 1: 1})
    assert blocked.layers[0].wiring.outputs * made == geometry.outputs
    inputs = random_inputs(rng, net, 2)
    order = block_order(geometry.input_shape, read)
    np.testing.assert_array_equal(infer(blocked, inputs[:, order]), infer(net, inputs))


def test_order_of_patches():
    """A line of two patches of two lines and two columns: a channel for each place in them."""
    found = np.arange(8)[patch_order((1, 2, 4), (2, 2))].reshape(4, 1, 2)
    assert found.tolist() == [[[0, 2]], [[1, 3]], [[4, 6]], [[5, 7]]]


def divisor(number, most):
    """The largest divisor that is not above `most`."""
    return max(each for each in range(1, most + 1) if number % each == 0)


@settings(max_examples=30)
@given(geometries(), SEEDS, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_layers_with_patches_compute_the_same(geometry, seed, lines, columns, read):
    """Of every kind, each neuron with a width of its own; the layer after it sees no difference."""
    rng = np.random.default_rng(seed)
    depth, height, width = geometry.input_shape
    width *= read
    geometry = replace(
        geometry,
        input_shape=(depth, height, width),
        pool=(1, 1),
        pool_stride=None,
        pool_padding=(0, 0, 0, 0),
    )
    _, high, wide = geometry.output_shape
    lines, columns = divisor(high, lines), divisor(wide, columns)
    if lines * columns == 1:
        lines, columns = high, wide
    if wide > columns and geometry.stride[1] * columns % read:
        read = 1
    shape = geometry.input_shape
    net = network(
        random_layer(rng, geometry, function="tanh"),
        random_layer(rng, Geometry.dense(geometry.channels * geometry.outputs, 3)),
    )
    patches = {0: (lines, columns)}
    blocked = block_network(net, {-1: read, 0: 1, 1: 1}, patches)
    assert blocked.layers[0].wiring.outputs * lines * columns == geometry.outputs
    inputs = random_inputs(rng, net, 2)
    config = EngineConfig(rows=4, cols=8)
    program = compile_network(blocked, config, 2, stored=True, patches=patches)
    arranged = inputs[:, block_order(shape, read)]
    results = Driver(ModelTransport(config)).run(program, arranged)
    np.testing.assert_array_equal(results, infer(net, inputs))


def test_kernel_is_not_spread_over_zeros():
    """Columns -1 and 5 of a line of five are padding: 3 x 5 beats, not 3 x 7."""
    layer = random_layer(
        np.random.default_rng(1),
        Geometry(input_shape=(1, 4, 5), channels=1, kernel=(3, 3), padding=(1, 1)),
        widths=(16,),
    )
    blocked = block_network(network(layer), {-1: 1, 0: 1}, {0: (1, 5)})
    assert blocked.layers[0].sources[0].geometry.kernel == (3, 5)


@settings(max_examples=6)
@given(SEEDS)
def test_the_driver_takes_inputs_in_their_own_order(seed):
    rng = np.random.default_rng(seed)
    net = random_graph(rng)
    config = EngineConfig(rows=4, cols=8)
    inputs = random_inputs(rng, net, 2)
    program = compile_blocked(net, MemoryConfig.default(config), 2)
    results = Driver(ModelTransport(config)).run(program, inputs)
    np.testing.assert_array_equal(results, infer(net, inputs))


def test_a_narrow_layer_fills_the_columns():
    """LeNet's first: 25 beats on 6 of 16 columns; two positions take 30 beats on 12 columns."""
    layer = random_layer(
        np.random.default_rng(1),
        Geometry(input_shape=(1, 32, 32), channels=6, kernel=(5, 5)),
        widths=(16,),
    )
    after = random_layer(np.random.default_rng(1), Geometry.dense(6 * 28 * 28, 1), widths=(16,))
    config = EngineConfig(rows=16, cols=16, accumulator_bits=48)
    net = network(layer, after)
    plain, pairs = (
        compile_network(block_network(net, {-1: 1, 0: factor, 1: 1}), config, 1, stored=True)
        for factor in (1, 2)
    )
    saved = plain.layers[0].counts.cycles - pairs.layers[0].counts.cycles
    assert saved == pytest.approx(49 * 25 - 25 * 30, abs=20)
    found = compile_blocked(net, MemoryConfig.default(config), 1)
    assert found.cycles <= pairs.cycles


def test_narrow_inputs_share_a_word():
    """Pixels of 4 bits: four columns in a word, so that five take two beats and not five."""
    layer = random_layer(
        np.random.default_rng(1),
        Geometry(input_shape=(1, 16, 16), channels=2, kernel=(1, 5), stride=(1, 4)),
        widths=(4,),
    )
    config = EngineConfig(rows=16, cols=16)
    beats = [
        {tile.beats for group in program.layers[0].groups for tile in group.tiles}
        for program in (
            compile_network(network(layer), config, 1, stored=True),
            compile_network(block_network(network(layer), {-1: 4, 0: 1}), config, 1, stored=True),
        )
    ]
    assert beats == [{5}, {2}]
    dense = random_layer(np.random.default_rng(1), Geometry.dense(2 * 48, 1), widths=(4,))
    factors, _ = choose_factors(network(layer, dense), MemoryConfig.default(config), 1)
    assert factors[-1] == 4
