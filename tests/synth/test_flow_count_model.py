"""The count model's check: its arithmetic, its tiles, and a small share of it repeated."""

import json
from pathlib import Path

import numpy as np
import pytest

from qcnpe.events import count_events
from qcnpe.spec.commands import TileCommand
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import FormatError
from synth.count_model import (
    KindPrices,
    LayerCheck,
    LayerTiles,
    array_fj,
    by_precision,
    check,
    figures,
    head,
    load,
    network_error,
    save,
)
from synth.energy_table import RESULTS, TABLE
from synth.flow import own_cells
from synth.measure import Energy, mean_energy
from synth.ncu_variants import FUSED, PLAIN
from synth.traces import ArrayTile, Tile
from synth.traces import load as load_trace

SHARE = 5
"""One in this many NCUs of a tile is simulated; not a multiple of the columns, so all are used."""


def test_layers_count_by_their_work() -> None:
    energy = Energy({"tree": 60.0, "clock": 40.0})
    small = LayerCheck(FUSED.kind, 16, "small", 1.0, energy, predicted_fj=200.0)
    large = LayerCheck(FUSED.kind, 16, "large", 9.0, energy, predicted_fj=100.0)
    other = LayerCheck(PLAIN.kind, 16, "large", 9.0, energy, predicted_fj=80.0)
    assert small.error == pytest.approx(1.0)
    assert network_error([small, large]) == pytest.approx(0.1)
    assert by_precision([small, large, other])[16] == [small, large]
    found = figures([small, large, other])
    assert found["count_model_error_16b"] == found["count_model_network_error_max"] == 0.1
    assert found["count_model_error_max"] == found["count_model_error_16b_small"] == 1.0
    assert found["count_model_error_plain16_16b_large"] == -0.2


def test_runs_count_by_their_cycles() -> None:
    mean = mean_energy([(Energy({"tree": 10.0}), 1), (Energy({"tree": 20.0, "clock": 4.0}), 3)])
    assert mean.parts == pytest.approx({"tree": 17.5, "clock": 3.0})


def test_array_is_the_sum_of_its_parts() -> None:
    # One row and column, four beats at 8 bits, of one tile with one result and its copy.
    tile = ArrayTile(8, True, 2, np.zeros((4, 1), np.uint16), np.zeros((4, 1), np.uint16))
    checked = LayerCheck(FUSED.kind, 8, "c", 1.0, Energy({"tree": 60.0}), 0.0)
    command = TileCommand(precision=8, beats=4, rows=1, cols=1, copies={8: 0}, copies_only=True)
    cycles = count_cycles(FUSED, [command])
    prices = dict.fromkeys(count_events(FUSED, [command]).events(), 0.0)
    prices |= {"queue_word_8b": 0.002, "skew_word_8b": 0.003, "queue_parameter": 0.004}
    prices |= {"row_sum_8b": 0.005, "afu_relu": 0.016, "result_8b": 0.006, "result_tile": 0.007}
    prices |= {"queue_cycle": 0.001, "afu_cycle": 0.002, "sequencer_cycle": 0.003}
    parts = array_fj([LayerTiles("c", 1.0, (tile,))], [checked], prices)
    clocks = cycles * (32 * 1 + 16 * 2 + 3)
    wanted = {
        "tree": 60,
        "queue": (8 * 2 + 4) / 4,
        "skew": 8 * 3 / 4,
        "row": 5 / 4,
        "afu": 16 / 4,
        "result": (6 + 7) / 4,
        "other_units_clock_and_leakage": clocks / 4,
        "sequencer": 0,
    }
    assert parts == pytest.approx(wanted)


def test_prediction_is_that_of_the_operands() -> None:
    # Two lanes, one of them zero; 3 x 1 bits of a pair meet once and go again; two idle cycles.
    pj = {"ncu_beat_16b": 0.5, "ncu_lane_16b": 0.4, "ncu_zero_flip_16b": 0.03}
    pj |= {"ncu_product_toggle_16b": 0.002, "ncu_tile_16b": 1.0, "ncu_idle_cycle": 0.12}
    tile = Tile(16, False, 1, np.array([7, 0], np.uint16), np.array([4, 5], np.uint16))
    wanted = 2 * 0.5 + 0.4 + 2 * 0.03 + 6 * 0.002 + 1.0 + 2 * 0.12
    assert KindPrices(FUSED, pj).energy_fj([tile]) == pytest.approx(1000 * wanted)
    plain = {name.replace("ncu_", "plain16_", 1): 2 * price for name, price in pj.items()}
    twice = 2 * (wanted - 2 * 0.12) + 2 * 0.12
    found = KindPrices(PLAIN, plain | {"ncu_idle_cycle": 0.12}).energy_fj([tile])
    assert found == pytest.approx(1000 * twice)


def test_tiles_are_kept_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    made = [
        ArrayTile(8, True, 2, *(rng.integers(0, 1 << 16, (beats, n), np.uint16) for n in (3, 2)))
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
    found = json.loads(RESULTS.read_text())["figures"]
    for layer in check(own_cells(), prices, layers, SHARE):
        assert layer.error == pytest.approx(found[f"count_model_error_{layer.key}"], abs=0.03)


def test_every_layer_is_predicted_within_6_percent() -> None:
    found = json.loads(RESULTS.read_text())["figures"]
    keys = [f"{width}b_{layer}" for width in (16, 8, 4, 2) for layer in ("c1", "c3", "c5")]
    keys += [f"plain16_16b_{layer}" for layer in ("c1", "c3", "c5")]
    errors = [abs(found[f"count_model_error_{key}"]) for key in keys]
    assert found["count_model_error_max"] == max(errors) <= 0.06
    assert found["count_model_network_error_max"] <= found["count_model_error_max"]
