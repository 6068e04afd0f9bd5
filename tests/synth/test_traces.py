"""Files of operands: complete, or refused in one line."""

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from synth import count_model, traces
from synth.measure import operands
from synth.traces import ArrayTile, Tile
from tests.damage import resave

WORDS = np.arange(6, dtype=np.uint16)
TRACE = {16: (Tile(16, False, 1, WORDS, WORDS),), 4: (Tile(4, True, 4, WORDS[:2], WORDS[2:4]),)}
LAYER = count_model.LayerTiles("c1", 10.0, (ArrayTile(8, True, 2, WORDS[None], WORDS[None, :2]),))


def test_trace_survives_its_file(tmp_path):
    traces.save(TRACE, tmp_path / "t.npz", {"seed": "1"})
    found = traces.load(tmp_path / "t.npz")
    assert list(found) == [16, 4]
    for width, (tile,) in TRACE.items():
        (same,) = found[width]
        assert (same.precision, same.unsigned) == (tile.precision, tile.unsigned)
        assert same.pairs == tile.pairs
        np.testing.assert_array_equal(same.activations, tile.activations)
        np.testing.assert_array_equal(same.weights, tile.weights)


TRACE_DAMAGES = {
    "fewer": (lambda h, _: h["precision"].pop(), "must say precision, unsigned and beats"),
    "empty": (lambda h, _: h.update(precision=[], unsigned=[], beats=[]), "must say precision"),
    "width": (lambda h, _: h.update(precision=[17, 4]), r"precision must be 2\.\.16"),
    "pairs": (lambda h, _: h.update(pairs=[1, 5]), r"pairs of 4 bits in a lane must be 1\.\.4"),
    "too few pairs": (lambda h, _: h["pairs"].pop(), "must say pairs of every tile or of none"),
    "truth value": (lambda h, _: h.update(unsigned=[0, 1]), "Expected `bool`"),
    "negative": (lambda h, _: h.update(beats=[-1, 9]), "Expected `int` >= 0"),
    "too long": (lambda h, _: h.update(beats=[10**12, 2]), r"must be uint16 \(1000000000002,\)"),
}


@pytest.mark.parametrize("damage", TRACE_DAMAGES)
def test_damaged_trace_is_one_clear_error(tmp_path, damage):
    change, message = TRACE_DAMAGES[damage]
    traces.save(TRACE, tmp_path / "t.npz", {})
    resave(tmp_path / "t.npz", change)
    with pytest.raises(FormatError, match=message):
        traces.load(tmp_path / "t.npz")


def layer(**fields):
    return lambda h, _: h["layers"][0].update(fields)


TILE_DAMAGES = {
    "no tiles": (layer(shapes=[]), "layer c1: needs a tile"),
    "two sizes": (layer(shapes=[[1, 6]]), "length 3"),
    "no beats": (layer(ncu_beats=0), "Expected `float` > 0"),
    "too many": (layer(shapes=[[10**9, 10**9, 1]]), "must be uint16"),
    "width": (layer(precision=1), r"of 2\.\.16 bits"),
}


@pytest.mark.parametrize("damage", TILE_DAMAGES)
def test_damaged_tiles_are_one_clear_error(tmp_path, damage):
    change, message = TILE_DAMAGES[damage]
    count_model.save([LAYER], tmp_path / "t.npz", {})
    assert len(count_model.load(tmp_path / "t.npz")) == 1
    resave(tmp_path / "t.npz", change)
    with pytest.raises(FormatError, match=message):
        count_model.load(tmp_path / "t.npz")


GATED = EngineConfig(rows=2, cols=2, ncu="gated", precisions=(16, 9, 3))


def test_tiles_of_any_width_keep_their_operands():
    """A trace of a gated engine: cut into pieces, kept in a file, and measured on its own kind."""
    streams = random_streams(GATED, 12, 1, max_beats=8, table_share=0)
    tiles = list(traces.tiles_of(streams, GATED))
    assert {tile.precision for tile in tiles} == {16, 9, 3}
    for piece in traces.cut(tiles, 12, 5, np.random.default_rng(1)):
        assert piece.pairs == 1
        assert len(piece.weights) <= 5, "an operand takes a lane of its own"
        assert operands(piece, GATED) is piece


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("width", [8, 4, 2])
def test_operands_go_from_one_kind_to_another(width, unsigned):
    words = np.random.default_rng(width).integers(0, 1 << 16, (2, 5), np.uint16)
    packed = Tile(width, unsigned, 16 // width, *words)
    gated = EngineConfig(ncu="gated", precisions=(16, width))
    apart = operands(packed, gated)
    fields = [word >> low & (1 << width) - 1 for word in words[1] for low in range(0, 16, width)]
    assert apart.weights.tolist() == [field << (16 - width) for field in fields]
    back = operands(apart, EngineConfig(precisions=(16, width)))
    assert back.pairs == packed.pairs
    np.testing.assert_array_equal(back.activations, packed.activations)
    np.testing.assert_array_equal(back.weights, packed.weights)
