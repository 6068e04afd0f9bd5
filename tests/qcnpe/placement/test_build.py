"""Images: their streams are the driver's, their results those of the network."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcnpe import blocking
from qcnpe.driver import program_streams
from qcnpe.placement.build import place_network
from qcnpe.placement.residency import LOADED
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.memory.machine import expand, run_image
from tests.qcnpe.networks import (
    by_channel,
    geometries,
    network,
    random_graph,
    random_inputs,
    random_layer,
)
from tests.qcnpe.placement.memories import memories

SEEDS = st.integers(0, 2**32 - 1)
ENGINES = [
    EngineConfig(rows=5, cols=3),
    EngineConfig(rows=4, cols=7, ncu="gated", precisions=(16, 9, 4)),
    EngineConfig(rows=16, cols=16),
]


@st.composite
def engines(draw):
    """Arrays of any size up to 16x16; four rows at least, which the largest window needs."""
    ncu = draw(st.sampled_from(["fused", "gated", "dsp"]))
    rows, cols = draw(st.integers(4, 16)), draw(st.integers(1, 16))
    return EngineConfig(rows=rows, cols=cols, ncu=ncu, precisions=(16, 8, 4, 2))


def check(net, config, inputs):
    """Compare streams with the driver's array for array, and results with the network's.

    Returns
    -------
    The placement.
    """
    placement = place_network(net, config, len(inputs))
    streamed = program_streams(placement.program, inputs)
    made = expand(placement.image, inputs)
    for name in ("commands", "activations", "weights", "parameters"):
        sent = np.concatenate([getattr(streams, name) for streams in streamed])
        np.testing.assert_array_equal(getattr(made, name), sent, err_msg=name)
    assert made.results == sum(streams.results for streams in streamed)
    expected = infer(net, inputs)
    twice = np.concatenate([inputs, inputs])
    for is_late in (False, True):
        results, _ = run_image(placement.image, twice, is_late=is_late)
        np.testing.assert_array_equal(results, np.concatenate([expected, expected]))
    return placement


def check_geometry(geometry, seed, engine, batch, **sizes):
    """Check a layer that computes the map, then the geometry at widths of each neuron's own."""
    rng = np.random.default_rng(seed)
    depth, height, width = geometry.input_shape
    before = Geometry(input_shape=(2, height, width), channels=depth)
    pixels = Geometry.dense(geometry.channels * geometry.outputs, 3)
    widths = (16, 8, 4, 2) if seed % 2 else (int(rng.choice([16, 8, 4, 2])),)
    net = network(
        random_layer(rng, before, function="relu", widths=widths),
        random_layer(rng, geometry, function="tanh", widths=widths, input_unsigned=True),
        random_layer(rng, pixels, widths=widths),
    )
    check(net, memories(engine, **sizes), random_inputs(rng, net, batch))


@settings(max_examples=8)
@given(geometries(), SEEDS, engines(), st.integers(1, 3), st.sampled_from([64, 128]))
def test_any_geometry(geometry, seed, engine, batch, bus_bits):
    check_geometry(geometry, seed, engine, batch, bus_bits=bus_bits)


@st.composite
def depth_wise(draw):
    """A layer whose channels have a kernel each, or two."""
    groups, kernel = draw(st.integers(2, 12)), draw(st.tuples(*[st.integers(1, 3)] * 2))
    return Geometry(
        input_shape=(groups, *draw(st.tuples(*[st.sampled_from([4, 6, 9])] * 2))),
        channels=groups * draw(st.sampled_from([1, 1, 2])),
        kernel=kernel,
        stride=draw(st.tuples(*[st.integers(1, 2)] * 2)),
        padding=draw(st.tuples(*[st.integers(0, 1)] * 4)),
        groups=groups,
    )


@settings(max_examples=8)
@given(depth_wise(), SEEDS, engines(), st.integers(1, 2), st.sampled_from([16, 8, 4, 2]))
def test_depth_wise_layers(geometry, seed, engine, batch, width):
    """Weights are folded, groups of tiles joined, parameters shared: wherever that pays."""
    rng = np.random.default_rng(seed)
    depth, *size = geometry.input_shape
    before = Geometry(input_shape=(2, *size), channels=depth)
    dense = Geometry.dense(geometry.channels * geometry.outputs, 3)
    net = network(
        *(
            random_layer(
                rng, each, function="relu", precision=by_channel([width] * each.channels, each)
            )
            for each in (before, geometry, dense)
        )
    )
    check(net, memories(engine), random_inputs(rng, net, batch))


@pytest.mark.parametrize(("width", "groups"), [(16, 32), (4, 8)])
def test_channels_of_a_depth_wise_layer_are_one_descriptor(width, groups):
    """A row of nine words for each channel, or at 4 bit for four of them; parameters for each."""
    wise = Geometry(input_shape=(32, 6, 6), channels=32, kernel=(3, 3), padding=(1, 1), groups=32)
    rng = np.random.default_rng(1)
    layers = [
        random_layer(
            rng, each, function="relu", precision=by_channel([width] * each.channels, each)
        )
        for each in (
            replace(wise, input_shape=(2, 6, 6), groups=1),
            wise,
            replace(wise, channels=2, groups=1),
        )
    ]
    placement = place_network(network(*layers), memories(ENGINES[2]), 1)
    phase = placement.phases[1]
    (tiles,) = phase.tiles
    assert (tiles.repeat, tiles.weight_step, tiles.parameters_go_on) == (groups, 1, True)
    assert phase.rows(Memory.WEIGHTS, placement.config) == groups
    assert phase.columns() == 9
    assert len(phase.tables[Memory.PARAMETERS].entries) == 32


@settings(max_examples=4)
@given(SEEDS, engines(), st.integers(1, 3))
def test_graphs(seed, engine, batch):
    """Shortcuts, maps read as one, the network's input read late."""
    rng = np.random.default_rng(seed)
    net = random_graph(rng)
    check(net, memories(engine), random_inputs(rng, net, batch))


@pytest.mark.parametrize("widths", [(16,), (4,), (2,), (16, 8, 4, 2)])
def test_results_of_patches_lie_where_others_do(widths, monkeypatch):
    """At every width, of depth-wise and of other layers; octets of channels that share one."""
    choice = dict.fromkeys((-1, 0, 1, 2, 3), 1), {0: (1, 2), 1: (2, 3), 2: (4, 1)}
    monkeypatch.setattr(blocking, "choose_factors", lambda *_: choice)
    rng = np.random.default_rng(len(widths))
    wise = Geometry(input_shape=(6, 6, 6), channels=6, kernel=(3, 3), padding=(1, 1), groups=6)
    layers = [
        random_layer(rng, geometry, function="relu", widths=widths, precision=precision)
        for geometry in (
            Geometry(input_shape=(2, 6, 6), channels=6),
            wise,
            Geometry(input_shape=(6, 6, 6), channels=6, kernel=(3, 3), padding=(0, 1)),
            Geometry.dense(6 * 4 * 6, 3),
        )
        for precision in [by_channel(rng.choice(widths, geometry.channels).tolist(), geometry)]
    ]
    net = network(*layers)
    for engine in ENGINES[:: 1 if widths == (16,) else 2]:
        check(net, memories(engine), random_inputs(rng, net, 2))


def test_patches_of_one_channel_are_not_its_lines(monkeypatch):
    """A patch of two columns makes two channels of a map of one; its two lines are lines still."""
    choice = dict.fromkeys((-1, 0, 1, 2), 1), {1: (1, 2)}
    monkeypatch.setattr(blocking, "choose_factors", lambda *_: choice)
    rng = np.random.default_rng(1)
    first = Geometry(input_shape=(2, 2, 3), channels=1)
    padded = Geometry(input_shape=(1, 2, 3), channels=1, padding=(0, 0, 0, 1))
    geometries = (first, padded, Geometry(input_shape=(1, 2, 4), channels=3))
    precisions = [by_channel([16] * each.channels, each) for each in geometries]
    layers = zip(geometries, precisions, strict=True)
    net = network(*(random_layer(rng, each, precision=widths) for each, widths in layers))
    engine = EngineConfig(rows=4, cols=2, precisions=(16, 8, 4, 2))
    check(net, memories(engine), random_inputs(rng, net, 1))


def test_margins_are_written_once_where_there_is_room():
    """The zeros around maps stay from run to run, unless another map must take their rows."""
    rng = np.random.default_rng(6)
    same = Geometry(input_shape=(4, 12, 12), channels=4, kernel=(3, 3), padding=(1, 1))
    layers = [random_layer(rng, same, function="relu", widths=(16,)) for _ in range(3)]
    net = network(*layers, random_layer(rng, Geometry.dense(4 * 144, 2), widths=(16,)))
    inputs = random_inputs(rng, net, 3)
    roomy = place_network(net, memories(ENGINES[2]), 1)
    most = max(each.first + each.rows(32) for each in roomy.places.maps.values())
    tight = place_network(net, memories(ENGINES[2], activation_rows=most - 1), 1)
    assert len(tight.places.kept) < len(roomy.places.kept)
    for placement in (roomy, tight):
        results, _ = run_image(placement.image, inputs)
        np.testing.assert_array_equal(results, infer(net, inputs))


def convolutions(rng, width=16):
    """Two convolutions of one width and a dense layer."""
    first = Geometry(input_shape=(1, 12, 12), channels=6, kernel=(3, 3), padding=(1, 1))
    second = Geometry(input_shape=(6, 12, 12), channels=8, kernel=(3, 3), stride=(2, 2))
    layers = [
        random_layer(rng, geometry, function="relu", precision=by_channel([width] * n, geometry))
        for geometry, n in ((first, 6), (second, 8), (Geometry.dense(200, 40), 40))
    ]
    return network(*layers)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 1), (3, 5), (15, 1)])
def test_arrays_of_any_size(rows, cols):
    rng = np.random.default_rng(rows)
    net = convolutions(rng, 4)
    check(net, memories(EngineConfig(rows=rows, cols=cols)), random_inputs(rng, net, 2))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.ncu)
def test_operands_and_tables_are_loaded_by_phase(engine):
    """Memories of half the size: no run finds what it needs, so that it is loaded as it goes."""
    rng = np.random.default_rng(3)
    net = convolutions(rng)
    inputs = random_inputs(rng, net, 4)
    roomy = place_network(net, memories(engine), 2)
    assert roomy.resident == set(LOADED)
    needed = {
        memory: [phase.rows(memory, roomy.config) for phase in roomy.phases] for memory in LOADED
    }
    sizes = {
        f"{memory.name.lower().rstrip('s')}_rows": max(2 * max(rows), 2)
        for memory, rows in needed.items()
    }
    sizes["weight_rows"] = 400
    config = memories(engine, **sizes)
    placement = place_network(net, config, 2)
    assert Memory.WEIGHTS not in placement.resident
    for is_late in (False, True):
        results, machine = run_image(placement.image, inputs, is_late=is_late)
        np.testing.assert_array_equal(results, infer(net, inputs))
    _, resident = run_image(roomy.image, inputs)
    assert machine.words_read > resident.words_read


@pytest.mark.parametrize("rows", [8, 16, 23, 24, 40])
def test_descriptors_load_one_another(rows):
    """Parts of one descriptor and of many; of three runs, the first loads what is resident."""
    rng = np.random.default_rng(5)
    net = convolutions(rng)
    placement = place_network(net, memories(ENGINES[0], descriptor_rows=rows), 1)
    assert placement.image.boot_rows <= rows
    inputs = random_inputs(rng, net, 3)
    for is_late in (False, True):
        results, _ = run_image(placement.image, inputs, is_late=is_late)
        np.testing.assert_array_equal(results, infer(net, inputs))


@pytest.mark.parametrize("batch", [1, 3])
def test_tiles_begin_while_the_input_is_loaded(batch):
    """Pieces of a large input, in the order in which tiles read them."""
    geometry = Geometry(input_shape=(2, 40, 24), channels=3, kernel=(3, 3), padding=(1, 2))
    rng = np.random.default_rng(4)
    dense = random_layer(rng, Geometry.dense(3 * 40 * 26, 2), widths=(2,))
    net = network(random_layer(rng, geometry, widths=(16,)), dense)
    placement = place_network(net, memories(ENGINES[0]), batch)
    assert len(placement.phases[0].input_rows) >= 3
    inputs = random_inputs(rng, net, batch)
    for is_late in (False, True):
        results, _ = run_image(placement.image, inputs, is_late=is_late)
        np.testing.assert_array_equal(results, infer(net, inputs))


def test_tiles_that_repeat_share_lane_entries():
    """28 columns are seven tiles of four rows: one line of them, whatever the lines and samples."""
    geometry = Geometry(input_shape=(1, 32, 32), channels=4, kernel=(5, 5))
    layer = random_layer(
        np.random.default_rng(1), geometry, precision=by_channel([16] * 4, geometry)
    )
    engine = EngineConfig(rows=4, cols=4)
    placement = place_network(network(layer), memories(engine, activation_rows=4096), 1)
    tiles = placement.phases[0].tiles
    assert sum(each.tiles * each.repeat for each in tiles) == 7 * 28
    assert {each.tiles for each in tiles} <= {1, 7}
    assert len({each.lanes for each in tiles}) == 1


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"activation_rows": 8}, "set activation_rows, or lower the batch"),
        ({"descriptor_rows": 6}, "6 descriptors cannot load further ones; set descriptor_rows"),
        ({"weight_rows": 8}, r"rows of weights do not fit twice into a memory of 8"),
    ],
)
def test_networks_that_do_not_fit_are_refused(sizes, message):
    net = convolutions(np.random.default_rng(1))
    with pytest.raises(CapacityError, match=message):
        place_network(net, memories(ENGINES[2], **sizes), 2)
