"""Tiles: of one width, as the engine's tiles are, and never more of them than at a single width."""

import numpy as np
import pytest

from axnn.approximation.search import take_share
from axnn.approximation.tiles import form_tiles, lower
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.compiler import compile_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from tests.axnn.approximation.test_loop import at_widths
from tests.axnn.tiny import ENGINE


def unfrozen(precision):
    return tuple(np.zeros(widths.shape, np.bool_) for widths in precision)


def scored(*layers):
    return tuple(np.array(layer, np.float64).reshape(-1, 1) for layer in layers)


def flat(precision):
    """Geometries of dense layers of as many neurons."""
    return [Geometry.dense(3, len(widths)) for widths in precision]


def test_tiles_are_the_least_significant_neurons_of_one_layer_and_width():
    scores = scored([9, 1, 8, 2, 3, 4], [0.5, 7, 7, 7])
    precision = at_widths([16, 16, 16, 16, 16, 8], [2, 4, 4, 4])
    tiles = form_tiles(scores, precision, unfrozen(precision), flat(precision), ENGINE)
    found = [(tile.layer, sorted(tile.members.tolist()), tile.score) for tile in tiles]
    assert found == [(0, [1, 2, 3, 4], 3.5), (0, [5], 4), (1, [1, 2, 3], 7), (0, [0], 9)]


def test_frozen_neurons_form_no_tile():
    precision = at_widths([16] * 5)
    frozen = unfrozen(precision)
    frozen[0][:3] = True
    tiles = form_tiles(scored(range(5)), precision, frozen, flat(precision), ENGINE)
    assert [tile.members.tolist() for tile in tiles] == [[3, 4]]


@pytest.mark.parametrize(
    ("share", "taken"), [(0.01, 1), (0.4, 1), (0.41, 2), (0.8, 2), (0.81, 3), (1.0, 3)]
)
def test_a_share_is_rounded_up_to_whole_tiles(share, taken):
    precision = at_widths([16] * 10)
    tiles = form_tiles(scored(range(10)), precision, unfrozen(precision), flat(precision), ENGINE)
    assert [len(tile.members) for tile in tiles] == [4, 4, 2]
    assert len(take_share(tiles, share)) == taken


def test_lowering_moves_only_the_tiles_and_by_one_width():
    precision = at_widths([16] * 4 + [8] * 2, [4])
    tiles = form_tiles(
        scored([1] * 6, [1]), precision, unfrozen(precision), flat(precision), ENGINE
    )
    lowered = lower(precision, tiles[1:], ENGINE)
    untouched = tiles[0]
    for index, (before, after) in enumerate(zip(precision, lowered, strict=True)):
        for neuron, width in enumerate(before.ravel()):
            stays = index == untouched.layer and neuron in untouched.members
            assert after.ravel()[neuron] == (width if stays else width // 2)


CONVOLUTION = Geometry(input_shape=(2, 8, 8), channels=6, kernel=(3, 3), pool=(1, 2))
WINDOWS = Geometry(input_shape=(3, 8, 8), channels=3, kernel=(2, 2), stride=(2, 2), groups=3)


@pytest.mark.parametrize(("geometry", "channels"), [(CONVOLUTION, 4), (WINDOWS, 1)])
def test_tiles_of_maps_are_channels_by_positions_that_the_rows_hold(geometry, channels):
    rng = np.random.default_rng(0)
    shape = (geometry.channels, geometry.outputs)
    precision = (np.full(shape, 16, np.uint8),)
    tiles = form_tiles((rng.random(shape),), precision, unfrozen(precision), [geometry], ENGINE)
    counted = np.zeros(shape, int)
    for tile in tiles:
        which, where = np.unravel_index(tile.members, shape)
        block = np.zeros(shape, int)
        block[np.ix_(np.unique(which), np.unique(where))] = 1
        assert block.sum() == len(tile.members)
        assert len(np.unique(which)) <= channels
        assert len(np.unique(where)) <= ENGINE.rows // geometry.window
        counted += block
    assert (counted == 1).all()
    assert [tile.score for tile in tiles] == sorted(tile.score for tile in tiles)


def test_least_significant_positions_and_channels_go_down_together():
    """Scores are the sum of a row's and a column's: the first tile has the smallest of both."""
    geometry = Geometry(input_shape=(1, 3, 3), channels=6)
    channel, position = np.array([5, 0, 3, 1, 4, 2.0]), np.array([8, 1, 7, 0, 2, 6, 5, 4, 3.0])
    scores = (10 * channel[:, None] + position,)
    precision = (np.full((6, 9), 8, np.uint8),)
    tiles = form_tiles(scores, precision, unfrozen(precision), [geometry], ENGINE)
    which, where = np.unravel_index(tiles[0].members, (6, 9))
    assert set(which.tolist()) == {1, 3, 5, 2}
    assert set(where.tolist()) == {3, 1, 4, 8}


@pytest.mark.parametrize("seed", range(4))
def test_the_compiler_never_needs_more_tiles_than_at_a_single_width(seed):
    spec = NetworkSpec(
        name="maps",
        input_shape=(2, 6, 6),
        layers=(
            LayerSpec(
                kind="convolution",
                channels=10,
                kernel=(3, 3),
                pool=(2, 2),
                groups=2,
                padding=(1, 1),
                function="relu",
            ),
            LayerSpec(kind="subsampling", kernel=(3, 1), function="tanh"),
            LayerSpec(kind="dense", channels=6, function="identity"),
        ),
    )
    network, rng = Network(spec, seed=0), np.random.default_rng(seed)
    config = EngineConfig(rows=8, cols=4)
    geometries = [layer.geometry for layer in network.neuron_layers]
    precision = uniform_precision(network, 16)
    inputs = rng.random((8, 2, 6, 6)).astype(np.float32)

    def tiles_by_layer():
        scales = calibrate(network, inputs, precision, config)
        program = compile_network(to_integers(network, scales, precision, config), config, 1)
        return [sum(len(group.outputs) for group in layer.groups) for layer in program.layers]

    at_first = tiles_by_layer()
    for _ in range(6):
        scores = tuple(rng.random(widths.shape) for widths in precision)
        frozen = unfrozen(precision)
        tiles = form_tiles(scores, precision, frozen, geometries, config)
        chosen = [tiles[index] for index in rng.permutation(len(tiles))[: len(tiles) // 3 + 1]]
        precision = lower(precision, chosen, config)
        assert tiles_by_layer() == at_first
    assert len(np.unique(np.concatenate([widths.ravel() for widths in precision]))) > 1
