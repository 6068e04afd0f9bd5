"""The count model's check: its arithmetic, its tiles, and a small share of it made again."""

import json
from pathlib import Path

import numpy as np
import pytest

from qcnpe.spec.errors import FormatError
from synth.count_model import (
    LayerCheck,
    LayerTiles,
    array_fj,
    by_precision,
    check,
    head,
    load,
    network_error,
    predicted_fj,
    save,
)
from synth.energy_table import RESULTS, TABLE
from synth.flow import own_cells
from synth.measure import Energy, mean_energy
from synth.traces import ArrayTile
from synth.traces import load as load_trace

SHARE = 17
"""Of a tile's NCUs one in so many is simulated; no multiple of the columns, so all have a turn."""


def test_layers_count_by_their_work() -> None:
    small = LayerCheck(16, "small", 1.0, Energy({"tree": 60.0, "clock": 40.0}), predicted_fj=200.0)
    large = LayerCheck(16, "large", 9.0, Energy({"tree": 60.0, "clock": 40.0}), predicted_fj=100.0)
    assert small.error == pytest.approx(1.0)
    assert network_error([small, large]) == pytest.approx(0.1)
    assert by_precision([small, large])[16] == [small, large]


def test_runs_count_by_their_cycles() -> None:
    mean = mean_energy([(Energy({"tree": 10.0}), 1), (Energy({"tree": 20.0, "clock": 4.0}), 3)])
    assert mean.parts == pytest.approx({"tree": 17.5, "clock": 3.0})


def test_array_is_the_sum_of_its_parts() -> None:
    # One row and column, four beats: 1 activation, 1 weight, 2/4 parameter and 2/4 result words.
    tile = ArrayTile(8, True, np.zeros((4, 1), np.uint16), np.zeros((4, 1), np.uint16))
    checked = LayerCheck(8, "c", 1.0, Energy({"tree": 60.0}), 0.0)
    prices = {
        "fifo_word": 0.001,
        "requantize": 0.004,
        "afu_relu": 0.016,
        "reverse_ncu_cycle": 0.007,
        "units_idle_ncu_cycle": 0.008,
    }
    parts = array_fj([LayerTiles("c", 1.0, (tile,))], [checked], prices)
    assert parts["fifo"] == pytest.approx(3)
    assert parts["afu_with_requantize"] == pytest.approx(5)
    assert sum(parts.values()) == pytest.approx(60 + 3 + 5 + 7 + 8)


def test_prediction_leaves_out_what_is_around_the_ncu() -> None:
    prices = {"ncu_mac_8b": 0.5, "units_idle_ncu_cycle": 0.1, "reverse_ncu_cycle": 0.2}
    assert predicted_fj(prices, 8) == pytest.approx(700)


def test_tiles_are_kept_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    made = [
        ArrayTile(8, True, *(rng.integers(0, 1 << 16, (beats, n), np.uint16) for n in (3, 2)))
        for beats in (4, 1)
    ]
    save([LayerTiles("c", 2.5, tuple(made))], tmp_path / "tiles.npz", {})
    (layer,) = load(tmp_path / "tiles.npz")
    assert (layer.name, layer.ncu_beats) == ("c", 2.5)
    for tile, wanted in zip(layer.tiles, made, strict=True):
        assert (tile.precision, tile.unsigned) == (8, True)
        assert np.array_equal(tile.activations, wanted.activations)
        assert np.array_equal(tile.ncu(0, 1).weights, wanted.weights[:, 1])


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.npz"):
        load(tmp_path / "none.npz")


def test_committed_tiles_are_whole_and_of_three_layers() -> None:
    for width in (16, 8, 4, 2):
        layers = [layer for layer in load() if layer.precision == width]
        assert len({layer.name for layer in layers}) == 3
        trace = sum(len(tile.weights) for tile in load_trace()[width])
        tiles = [tile for layer in layers for tile in layer.tiles]
        assert max(tile.rows * tile.cols for tile in tiles) == 256
        assert sum(len(tile.weights) * tile.rows * tile.cols for tile in tiles) > 10 * trace


def test_a_small_share_made_again_agrees_with_the_results() -> None:
    layers = [layer for layer in head(load(), 10) if layer.precision in (16, 4)]
    prices = json.loads(TABLE.read_text())["pj"]
    figures = json.loads(RESULTS.read_text())["figures"]
    checks = by_precision(check(own_cells(), prices, layers, SHARE))
    for width in (16, 4):
        again = network_error(checks[width])
        assert again == pytest.approx(figures[f"count_model_error_{width}b"], abs=0.1)


def test_results_hold_the_largest_errors_whole_and_single() -> None:
    figures = json.loads(RESULTS.read_text())["figures"]
    errors = [abs(figures[f"count_model_error_{width}b"]) for width in (16, 8, 4, 2)]
    assert figures["count_model_error_max"] == max(errors) <= 0.05
    assert figures["count_model_layer_error_max"] >= figures["count_model_error_max"]
