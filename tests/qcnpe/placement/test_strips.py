"""Maps that do not fit the banks: strips, with the streams and results of whole maps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcnpe.blocking import compile_blocked
from qcnpe.boards.autonomous import run_requests
from qcnpe.placement.banks import place_maps
from qcnpe.placement.build import place_network
from qcnpe.placement.layout import space_maps
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError, ConfigError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Source
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.memory.descriptors import Fill, Load, Store, Wait
from qcnpe.spec.memory.machine import Job, follow_image
from tests.qcnpe.networks import (
    by_channel,
    geometries,
    graph_layer,
    network,
    random_inputs,
    random_layer,
)
from tests.qcnpe.placement.memories import memories
from tests.qcnpe.placement.test_build import SEEDS, check, engines


def check_small_banks(net, config, inputs, share):
    """Check a network in so much of the rows that its maps take, or in as few more as it needs."""
    program = compile_blocked(net, config, len(inputs))
    spacings = space_maps(program, config)
    whole = place_maps(program, config, spacings).used_rows(config.banks)
    rows = max(1, int(share * whole))
    while True:
        small = replace(config, activation_rows=rows)
        try:
            place_maps(program, small, spacings)
        except CapacityError:
            rows += 1 + whole // 50
        else:
            return check(net, small, inputs)


def check_strips(geometry, seed, engine, batch, share):
    """Check a layer that computes the map, then the geometry, then one that reads its results.

    Each channel has a width of its own; in low maps each neuron has.
    """
    rng = np.random.default_rng(seed)
    depth, height, width = geometry.input_shape
    before = Geometry(input_shape=(2, height, width), channels=depth)
    after = Geometry(input_shape=geometry.output_shape, channels=3)

    def layer(each, function):
        chosen = rng.choice([16, 8, 4, 2], each.channels).tolist()
        precision = by_channel(chosen, each) if height > 8 else None
        return random_layer(
            rng, each, function=function, precision=precision, input_unsigned=each is not before
        )

    net = network(layer(before, "relu"), layer(geometry, "tanh"), layer(after, "identity"))
    return check_small_banks(
        net, memories(engine, lane_rows=4096), random_inputs(rng, net, batch), share
    )


@settings(max_examples=3)
@given(geometries(), SEEDS, engines(), st.integers(1, 3), st.integers(0, 20), st.floats(0.1, 0.7))
def test_any_geometry(geometry, seed, engine, batch, lines, share):
    depth, height, width = geometry.input_shape
    tall = replace(geometry, input_shape=(depth, height + lines, width))
    check_strips(tall, seed, engine, batch, share)


SMALL = EngineConfig(rows=4, cols=4, precisions=(16, 8, 4, 2))


def graph(rng):
    """Strides, dilation, pooling, a sum of maps, and a map that is read by two layers."""
    same: dict[str, Any] = {"kernel": (3, 3), "padding": (1, 1)}
    shortcut = Geometry(input_shape=(4, 24, 10), channels=3, stride=(2, 2))
    wide: dict[str, Any] = {"kernel": (3, 2), "padding": (2, 1, 2, 0)}
    layers = (
        (Source(Geometry(input_shape=(2, 24, 10), channels=4, **same)),),
        (Source(Geometry(input_shape=(4, 24, 10), channels=3, **same, pool=(2, 2))),),
        (
            Source(replace(shortcut, **same), 0),
            Source(Geometry(input_shape=(3, 12, 5), channels=3), 1),
            Source(shortcut, 0),
        ),
        (Source(Geometry(input_shape=(3, 12, 5), channels=4, **wide)),),
        (
            Source(Geometry(input_shape=(4, 14, 5), channels=4, dilation=(2, 1), **wide)),
            Source(Geometry(input_shape=(3, 12, 5), channels=4, **wide), 1),
        ),
    )
    shifts = {8: 7, 4: 10, 2: 12}
    found = []
    for sources in layers:
        layer = graph_layer(rng, sources, "relu", shifts, True)
        widths = rng.choice([16, 8, 4, 2], sources[0].geometry.channels).tolist()
        found.append(replace(layer, precision=by_channel(widths, sources[0].geometry)))
    return network(*found)


@pytest.mark.parametrize(("batch", "share"), [(1, 0.25), (2, 0.3)])
def test_graphs(batch, share):
    """The network's input and the largest maps pass external memory, in strips."""
    rng = np.random.default_rng(batch)
    net = graph(rng)
    inputs = random_inputs(rng, net, batch)
    placement = check_small_banks(net, memories(SMALL, lane_rows=4096), inputs, share)
    assert {NETWORK_INPUT, 0} <= placement.places.external
    assert sum(len(strips) > 1 for strips in placement.places.strips) >= 4
    assert_windows_are_free(placement)


def assert_windows_are_free(placement):
    """No window is loaded while tiles may read what lies in its place."""
    is_free, loads = True, 0
    for each in follow_image(placement.image).done:
        if isinstance(each, Load) and each.memory == Memory.ACTIVATIONS:
            assert is_free
            loads += 1
        ends = isinstance(each, Store | Fill) or (isinstance(each, Wait) and each.tiles)
        is_free = ends or (is_free and not isinstance(each, Job))
    assert loads > sum(map(len, placement.places.strips))


def test_what_cannot_be_cut_is_refused():
    """A dense layer reads its map at once; the host of a board holds no maps."""
    rng = np.random.default_rng(1)
    shapes = {
        "first": Geometry(input_shape=(2, 24, 10), channels=4),
        "second": Geometry(input_shape=(4, 24, 10), channels=1),
        "dense": Geometry.dense(4 * 240, 3),
    }
    first, second, dense = (
        random_layer(rng, each, name=name, precision=by_channel([16] * each.channels, each))
        for name, each in shapes.items()
    )
    config = memories(SMALL, activation_rows=96)
    refused = r"layer dense: a line of its results, and .* banks, which have 96; set activation_"
    with pytest.raises(CapacityError, match=refused):
        place_network(network(first, dense), config, 1)
    image = place_network(network(first, second), config, 1).image
    with pytest.raises(ConfigError, match="reads maps again that it has stored, which a board's"):
        next(run_requests(image, [np.zeros(0, np.uint8)], [(image.boot_rows, image.start)]))
