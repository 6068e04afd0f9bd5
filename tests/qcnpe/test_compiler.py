"""Programs: every neuron once, legal tiles, proofs of capacity, and the right integers."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcnpe.compiler import MAX_TILES, compile_network
from qcnpe.driver import Driver, ModelTransport, layer_streams
from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.commands import TableLoad, TileCommand, decode_command, decode_commands
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.fixed import pack, unpack
from qcnpe.spec.geometry import Geometry
from tests.qcnpe import loops
from tests.qcnpe.networks import (
    by_channel,
    dense_layer,
    geometries,
    network,
    random_graph,
    random_inputs,
    random_layer,
)

CONFIGS = [
    EngineConfig(rows=4, cols=3),
    EngineConfig(rows=6, cols=1),
    EngineConfig(rows=5, cols=16, fifo_depth=2),
]
SEEDS = st.integers(0, 2**32 - 1)


def run_on_model(net, config, inputs):
    """Results of a compiled network, tile by tile."""
    program = compile_network(net, config, len(inputs))
    return Driver(ModelTransport(config)).run(program, inputs)


def neurons_of(layer_program):
    """How often each (channel, output, width) is computed for one sample."""
    return Counter(
        (channel, output, group.precision)
        for group in layer_program.groups
        for channel in group.channels.tolist()
        for output in group.outputs.tolist()
    )


@settings(max_examples=40)
@given(geometries(), SEEDS, st.sampled_from(CONFIGS), st.integers(1, 3))
def test_every_neuron_is_computed_once_at_its_precision(geometry, seed, config, batch):
    layer = random_layer(np.random.default_rng(seed), geometry)
    (compiled,) = compile_network(network(layer), config, batch).layers
    assert neurons_of(compiled) == {
        (channel, output, int(width)): 1
        for (channel, output), width in np.ndenumerate(layer.precision)
    }


@settings(max_examples=40)
@given(geometries(), SEEDS, st.sampled_from(CONFIGS), st.integers(1, 3))
def test_tiles_are_good_commands_that_hold_every_item(geometry, seed, config, batch):
    layer = random_layer(np.random.default_rng(seed), geometry, function="tanh")
    (compiled,) = compile_network(network(layer), config, batch).layers
    assert decode_command(config, int(compiled.commands[0])) == TableLoad(), "it comes first"
    for group in compiled.groups:
        tiles = group.tiles
        assert list(tiles) == decode_commands(config, group.commands)
        assert {tile.cols for tile in tiles} == {len(group.channels)}
        assert {tile.beats for tile in tiles} == {len(group.weights)}
        items = batch * len(group.outputs) * geometry.window
        assert sum(tile.rows for tile in tiles) == items
        full = config.rows // geometry.window * geometry.window
        assert [tile.rows for tile in tiles[:-1]] == [full] * (len(tiles) - 1)


@settings(max_examples=40)
@given(geometries(), SEEDS)
def test_groups_hold_their_own_weights_and_parameters(geometry, seed):
    config = CONFIGS[0]
    layer = random_layer(np.random.default_rng(seed), geometry)
    (compiled,) = compile_network(network(layer), config, 1).layers
    for group in compiled.groups:
        operands = layer.widths[group.precision]
        seen = unpack(group.weights.T, group.precision, config.pairs(group.precision))
        own = group.operands - group.block * geometry.fan_in
        left_out = np.ones(geometry.fan_in, bool)
        left_out[own] = False
        for col, channel in enumerate(group.channels.tolist()):
            weights = operands.weights[channel]
            assert seen[col, : len(own)].tolist() == weights[own].tolist()
            assert not weights[left_out].any(), "only zeros are left out"
            word = int(group.parameters[col])
            assert word & 0xFFFF == int(layer.bias[channel]) % 2**16
            assert word >> 16 == int(operands.shift[channel]) + 16
            assert geometry.group_of(channel) == group.block
        assert not seen[len(group.channels) :].any(), "idle columns carry zeros"
        assert not seen[:, len(own) :].any(), "missing operands are zeros"
        used = operands.weights[group.channels][:, own].any(axis=0)
        assert used.all() or len(own) == 1, "all zeros are left out"


@settings(max_examples=30)
@given(geometries(), SEEDS, st.sampled_from(CONFIGS), st.sampled_from(FUNCTION_NAMES))
def test_tiles_give_the_integers_of_the_loops(geometry, seed, config, function):
    rng = np.random.default_rng(seed)
    net = network(random_layer(rng, geometry, function=function, input_unsigned=bool(seed % 2)))
    inputs = random_inputs(rng, net, 2)
    assert run_on_model(net, config, inputs).tolist() == loops.run_network(net, inputs)


def mixed_network(rng, widths=(16, 8, 4, 2)):
    """Convolution with pooling, depth-wise convolution, dense layers."""
    conv = Geometry(input_shape=(2, 7, 6), channels=4, kernel=(2, 3), padding=(1, 1), pool=(2, 2))
    depth_wise = Geometry(input_shape=(4, 4, 3), channels=4, kernel=(2, 2), stride=(2, 1), groups=4)
    return network(
        random_layer(rng, conv, name="conv", function="relu", widths=widths),
        random_layer(
            rng, depth_wise, name="mean", function="sigmoid", widths=widths, input_unsigned=True
        ),
        random_layer(rng, Geometry.dense(16, 9), name="hidden", function="tanh", widths=widths),
        random_layer(rng, Geometry.dense(9, 3), name="out", widths=widths),
    )


@settings(max_examples=30)
@given(SEEDS, st.sampled_from(CONFIGS), st.integers(1, 3))
def test_graphs_give_the_integers_of_the_loops(seed, config, batch):
    """Shortcuts, maps read as one, the network's input read late: on tiles as in the loops."""
    rng = np.random.default_rng(seed)
    net = random_graph(rng)
    inputs = random_inputs(rng, net, batch)
    assert run_on_model(net, config, inputs).tolist() == loops.run_network(net, inputs)


def test_operands_of_zero_are_not_streamed():
    """Four neurons add one value each to their sums: the other three cost no beat."""
    geometry = Geometry.dense(4, 4)
    layer = random_layer(
        np.random.default_rng(1), geometry, precision=by_channel([16] * 4, geometry)
    )
    layer.widths[16].weights[:] = np.eye(4)
    layer.widths[16].weights[:, 2] = 0
    (compiled,) = compile_network(network(layer), EngineConfig(rows=2, cols=2), 1).layers
    assert [group.operands.tolist() for group in compiled.groups] == [[0, 1], [3]]
    assert [tile.beats for group in compiled.groups for tile in group.tiles] == [2, 1]
    layer.widths[16].weights[:] = 0
    (compiled,) = compile_network(network(layer), EngineConfig(rows=2, cols=2), 1).layers
    assert [tile.beats for group in compiled.groups for tile in group.tiles] == [1, 1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "config",
    [
        *CONFIGS,
        EngineConfig(rows=4, cols=2, ncu="gated", accumulator_bits=48),
        EngineConfig(rows=8, cols=4, ncu="plain16", precisions=(16,)),
    ],
    ids=lambda config: f"{config.ncu}-{config.rows}x{config.cols}",
)
def test_whole_networks(config, seed):
    """Narrow copies, made by the engine, feed the next layer; signed and unsigned ones."""
    rng = np.random.default_rng(seed)
    net = mixed_network(rng, config.precisions)
    inputs = random_inputs(rng, net, 3)
    found = run_on_model(net, config, inputs)
    assert found.tolist() == loops.run_network(net, inputs), f"seed {seed}"


def test_groups_are_sorted_widest_first_and_cut_into_columns():
    geometry = Geometry.dense(3, 8)
    widths = [2, 16, 8, 16, 2, 16, 16, 4]
    layer = random_layer(np.random.default_rng(1), geometry, precision=by_channel(widths, geometry))
    (compiled,) = compile_network(network(layer), EngineConfig(rows=2, cols=3), 1).layers
    found = [(group.precision, group.channels.tolist()) for group in compiled.groups]
    assert found == [(16, [1, 3, 5]), (16, [6]), (8, [2]), (4, [7]), (2, [0, 4])]


def test_positions_of_equal_precision_share_their_tiles():
    """Two patterns over nine positions: the 8-bit ones in one group, the rest in another."""
    geometry = Geometry(input_shape=(1, 3, 3), channels=2)
    precision = np.full((2, 9), 16, np.uint8)
    precision[:, [1, 5, 6]] = 8
    layer = random_layer(np.random.default_rng(1), geometry, precision=precision)
    (compiled,) = compile_network(network(layer), EngineConfig(rows=4, cols=4), 1).layers
    found = {group.precision: group.outputs.tolist() for group in compiled.groups}
    assert len(compiled.groups) == 2
    assert found == {8: [1, 5, 6], 16: [0, 2, 3, 4, 7, 8]}


def test_copies_are_what_the_next_layer_reads():
    rng = np.random.default_rng(1)
    first = random_layer(rng, Geometry.dense(3, 4), name="a")
    geometry = Geometry.dense(4, 3)
    second = random_layer(
        rng, geometry, name="b", precision=by_channel([16, 4, 2], geometry), input_unsigned=True
    )
    config = EngineConfig(rows=2, cols=2)
    before, after = compile_network(network(first, second), config, 1).layers
    assert before.copies.shifts == {width: second.widths[width].input_shifts[0] for width in (4, 2)}
    assert after.copies.shifts == {}
    for command in decode_commands(config, before.commands):
        assert isinstance(command, TileCommand)
        assert command.copies == before.copies.shifts
        assert command.unsigned_copies


@pytest.mark.parametrize("batch", [0, -1])
def test_batch_must_be_positive(batch):
    with pytest.raises(CapacityError, match=f"^batch must be at least 1, not {batch}$"):
        compile_network(network(dense_layer(2, 2)), EngineConfig(), batch)


def test_batch_of_too_many_tiles_is_refused():
    """Nine neurons take three tiles of four columns, and each tile two samples."""
    net, config = network(dense_layer(2, 9, name="wide")), EngineConfig(rows=2, cols=4)
    most = MAX_TILES * 2 // 3
    message = f"^layer wide: a batch of {most + 1:,} samples needs .* lower the batch to {most:,}$"
    with pytest.raises(CapacityError, match=message):
        compile_network(net, config, most + 1)


def test_accumulator_that_can_overflow_is_refused():
    """255 weights of -32768 times -32768 reach 255 * 2**30, which 39 bits hold and 38 do not."""
    net = network(dense_layer(255, 2, name="wide", weight=-32768))
    message = (
        r"^layer wide: fan-in 255 at 16 bits can reach 273804165120, more than 38 bits hold;"
        r" set accumulator_bits to 39 or lower the precision$"
    )
    with pytest.raises(CapacityError, match=message):
        compile_network(net, EngineConfig(accumulator_bits=38), 1)
    compile_network(net, EngineConfig(accumulator_bits=39), 1)


@pytest.mark.parametrize("weight", [32767, -32768])
def test_the_proof_is_tight(weight):
    """What is accepted gives exact results at the worst input; one operand more is refused."""
    config = EngineConfig(rows=1, cols=1, accumulator_bits=33)
    fan_in = 4 if weight > 0 else 3
    layer = dense_layer(fan_in, 1, weight=weight)
    layer.widths[16].shift[:] = 18
    net = network(layer)
    for extreme in (-32768, 32767):
        inputs = np.full((1, fan_in), extreme, np.int16)
        expected = loops.run_network(net, inputs)
        assert run_on_model(net, config, inputs).tolist() == expected
    with pytest.raises(CapacityError, match="more than 33 bits hold; set accumulator_bits to 34"):
        compile_network(network(dense_layer(fan_in + 1, 1, weight=weight)), config, 1)


def test_narrow_operands_stand_higher_in_the_accumulator():
    """Sums of 4-bit products up to 6,400 stand 12 places higher on `fused`, 24 on `gated`."""
    net = network(dense_layer(100, 1, name="low", weight=-8, width=4))
    with pytest.raises(CapacityError, match=r"layer low: .* set accumulator_bits to 26 or"):
        compile_network(net, EngineConfig(accumulator_bits=25), 1)
    compile_network(net, EngineConfig(accumulator_bits=26), 1)
    gated = EngineConfig(ncu="gated", accumulator_bits=36)
    with pytest.raises(CapacityError, match=r"layer low: .* set accumulator_bits to 38 or"):
        compile_network(net, gated, 1)
    compile_network(net, replace(gated, accumulator_bits=38), 1)


@pytest.mark.parametrize("fan_in", [65535, 65536])
def test_longest_tile(fan_in):
    net = network(dense_layer(fan_in, 1, name="long"))
    config = EngineConfig(accumulator_bits=48)
    if fan_in == 65535:
        assert len(compile_network(net, config, 1).layers[0].groups[0].weights) == 65535
    else:
        with pytest.raises(
            CapacityError, match="layer long: fan-in 65536 at 16 bits is over 65535"
        ):
            compile_network(net, config, 1)


def test_narrow_widths_take_more_operands():
    net = network(dense_layer(65536, 1, name="long", width=2))
    compiled = compile_network(net, EngineConfig(accumulator_bits=48), 1)
    assert len(compiled.layers[0].groups[0].weights) == 65536 // 8


def test_precision_that_the_engine_lacks():
    net = network(dense_layer(4, 1, name="fine", width=4))
    with pytest.raises(CapacityError, match=r"^layer fine: uses 4 bits; the engine has 16,8$"):
        compile_network(net, EngineConfig(precisions=(16, 8)), 1)


def test_precision_that_the_engine_lacks_in_a_later_layer():
    net = network(dense_layer(4, 4, name="a"), dense_layer(4, 1, name="fine", width=4))
    with pytest.raises(CapacityError, match=r"^layer fine: uses 4 bits; the engine has 16,8$"):
        compile_network(net, EngineConfig(precisions=(16, 8)), 1)


def test_table_of_another_engine():
    layer = random_layer(np.random.default_rng(1), Geometry.dense(3, 2), function="tanh")
    message = r"^layer layer: its table has 32 segments, the engine 64; set table_segments or quant"
    with pytest.raises(CapacityError, match=message):
        compile_network(network(layer), EngineConfig(table_segments=64), 1)


def test_pooling_window_larger_than_the_engine():
    geometry = Geometry(input_shape=(1, 2, 2), channels=1, pool=(2, 2))
    layer = random_layer(np.random.default_rng(1), geometry, name="pool")
    with pytest.raises(
        CapacityError, match=r"^layer pool: pooling needs 4 rows; make rows larger$"
    ):
        compile_network(network(layer), EngineConfig(rows=3), 1)


GEMMS = [((784, 6, 25), 1300), ((100, 16, 150), 1080), ((1024, 256, 512), 525_500)]


def gemm_cycles(samples, neurons, fan_in, width=16):
    """Cycles of one dense layer at 16x16."""
    net = network(dense_layer(fan_in, neurons, width=width))
    return compile_network(net, EngineConfig(rows=16, cols=16), samples).cycles


@pytest.mark.parametrize(("shape", "most"), GEMMS, ids=["784x6x25", "100x16x150", "1024x256x512"])
def test_cycles_of_matrix_products(shape, most):
    samples, neurons, fan_in = shape
    tiles = -(-samples // 16) * -(-neurons // 16)
    assert tiles * fan_in < gemm_cycles(*shape) <= most


@pytest.mark.parametrize(("width", "least"), [(8, 1.99), (4, 3.95), (2, 7.8)])
def test_narrow_widths_are_as_much_faster(width, least):
    shape = GEMMS[-1][0]
    assert gemm_cycles(*shape) / gemm_cycles(*shape, width=width) >= least


def test_totals_of_a_program():
    net = mixed_network(np.random.default_rng(1))
    program = compile_network(net, EngineConfig(rows=4, cols=4), 2)
    assert program.cycles == sum(counts.cycles for counts in program.layer_counts)
    assert program.counts.cycles == program.cycles
    results = sum(
        counts.afu_ops[name] for counts in program.layer_counts for name in counts.afu_ops
    )
    sizes = [layer.precision.size for layer in net.layers]
    assert results == 2 * sum(sizes)
    windows = [(layer.wiring.window - 1) * layer.precision.size for layer in net.layers]
    assert sum(counts.maxima for counts in program.layer_counts) == 2 * sum(windows)


def test_shift_that_gated_operands_push_out_of_range():
    """Operands at the top of their lanes move the product, and with it the shift, up."""
    layer = dense_layer(4, 1, name="fine", width=4)
    far = replace(layer.widths[4], shift=np.array([24], np.int8))
    net = network(replace(layer, widths={4: far}))
    compile_network(net, EngineConfig(), 1)
    with pytest.raises(CapacityError, match=r"^layer fine: a shift at 4 bits is over 23, the most"):
        compile_network(net, EngineConfig(ncu="gated", precisions=(16, 4)), 1)


def read_by(compiled, order):
    """What a host fetches for tiles in an order, if it keeps the last block of each operand."""
    tiles = [
        (number, group, tile)
        for number, group in enumerate(compiled.groups)
        for tile in range(len(group.commands))
    ]
    words = 0
    kept: tuple[object, object] = (None, None)
    for index in order:
        number, group, tile = tiles[index]
        command = group.tiles[tile]
        read = tuple(group.outputs.tolist()), tuple(group.operands.tolist())
        source = (group.precision, group.block, *read, tile)
        words += command.beats * command.rows if source != kept[0] else 0
        words += command.beats * command.cols if number != kept[1] else 0
        kept = source, number
    return words


def nested_orders(compiled):
    """Tiles group by group, and all groups for the first rows, then for the next ones."""
    counts = [len(group.commands) for group in compiled.groups]
    firsts = np.cumsum([0, *counts[:-1]]).tolist()
    yield range(sum(counts))
    yield [
        first + tile
        for tile in range(max(counts))
        for first, count in zip(firsts, counts, strict=True)
        if tile < count
    ]


@settings(max_examples=60)
@given(geometries(), SEEDS, st.sampled_from(CONFIGS), st.integers(1, 6))
def test_order_fetches_the_least_of_all_nested_orders(geometry, seed, config, batch):
    layer = random_layer(np.random.default_rng(seed), geometry, widths=(16, 4))
    (compiled,) = compile_network(network(layer), config, batch).layers
    tiles = sum(len(group.commands) for group in compiled.groups)
    assert sorted(compiled.order.tolist()) == list(range(tiles))
    assert compiled.fetched_words == read_by(compiled, compiled.order.tolist())
    for order in nested_orders(compiled):
        assert compiled.fetched_words <= read_by(compiled, order)


@pytest.mark.parametrize(
    ("neurons", "batch", "words"),
    [
        # Three groups by two tiles: two blocks to begin with, then one new block for each tile; a
        # block of activations (4 rows) is larger than one of weights (3 columns).
        (9, 8, 10 * (2 * 4 + 5 * 3)),
        # Two groups by four tiles: the activations are read once, the weights at every turn but
        # three; the other way round would be 2 * 3 + 7 * 4.
        (6, 16, 10 * (4 * 4 + 5 * 3)),
        (1, 1, 10 * 2),
    ],
)
def test_fetches_of_dense_layers(neurons, batch, words):
    program = compile_network(network(dense_layer(10, neurons)), CONFIGS[0], batch)
    assert program.fetched_words == words


def test_streams_follow_the_order_of_the_tiles():
    """Each tile's activations, weights and parameters stand where its command stands."""
    rng = np.random.default_rng(5)
    net = network(random_layer(rng, Geometry.dense(5, 10), widths=(16, 8)))
    config, inputs = CONFIGS[0], random_inputs(rng, net, 9)
    program = compile_network(net, config, 9)
    (compiled,) = program.layers
    assert compiled.order.tolist() != sorted(compiled.order.tolist())
    values = {16: inputs.astype(np.int64), 8: np.clip(inputs, -128, 127).astype(np.int64)}
    streams = layer_streams(program, compiled, values)
    beat = word = 0
    for index in compiled.order.tolist():
        number, tile = divmod(index, 3)
        group = compiled.groups[number]
        beats, cols = len(group.weights), len(group.channels)
        samples = values[group.precision][4 * tile : 4 * tile + 4]
        lanes = pack(samples, group.precision, config.pairs(group.precision))
        found = streams.activations[beat : beat + beats, : len(samples)]
        np.testing.assert_array_equal(found, lanes.T)
        np.testing.assert_array_equal(streams.weights[beat : beat + beats], group.weights)
        np.testing.assert_array_equal(streams.parameters[word : word + cols], group.parameters)
        beat, word = beat + beats, word + cols
    assert (beat, word) == (len(streams.activations), len(streams.parameters))
