"""Prices of the events of operands: the fit recovers known prices; runs keep every operand."""

import numpy as np
import pytest

from qcnpe.events import OperandActivity
from qcnpe.spec.config import EngineConfig
from synth.ncu_prices import NcuPrices, NcuWork, fit_prices, runs_of
from synth.traces import Tile

TRUE = NcuPrices(beat=300.0, lane=700.0, zero_flip=200.0, product_toggle=13.0, tile=1500.0)


def work(rng: np.random.Generator) -> NcuWork:
    """Events like those of a piece of a tile."""
    lanes, flips, toggles = rng.integers(0, (100, 40, 2000)).tolist()
    activity = OperandActivity(lanes=lanes, zero_flips=flips, product_toggles=toggles)
    return NcuWork(200, activity, int(rng.integers(1, 9)))


def energy(work: NcuWork, prices: NcuPrices) -> float:
    """Computed by hand."""
    seen = work.activity
    return (
        prices.beat * work.beats
        + prices.lane * seen.lanes
        + prices.zero_flip * seen.zero_flips
        + prices.product_toggle * seen.product_toggles
        + prices.tile * work.tiles
    )


def test_fit_finds_the_prices_that_made_the_energies() -> None:
    rng = np.random.default_rng(1)
    works = [work(rng) for _ in range(40)]
    found = fit_prices(works, [energy(each, TRUE) * rng.normal(1, 0.01) for each in works])
    for name in ("beat", "lane", "zero_flip", "product_toggle", "tile"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=0.1), name
    assert found.energy_fj(works[0]) == pytest.approx(energy(works[0], found))


def test_no_event_gives_energy_back() -> None:
    rng = np.random.default_rng(2)
    works = [work(rng) for _ in range(40)]
    odd = NcuPrices(beat=300.0, lane=700.0, zero_flip=-50.0, product_toggle=13.0, tile=1500.0)
    found = fit_prices(works, [energy(each, odd) for each in works])
    assert found.zero_flip == 0
    assert min(found.beat, found.lane, found.product_toggle, found.tile) > 0


def test_work_of_an_ncu_is_that_of_its_operands() -> None:
    # 0x0103 is the fields 3 and 1, 0x0201 the fields 1 and 2: two bit products of the low pair and
    # one of the high one, once on and once off; the last lane is zero.
    activations = np.array([0x0103, 0x0103, 0], np.uint16)
    tile = Tile(8, True, 2, activations, np.array([0x0201, 0x0201, 0x0201], np.uint16))
    # Three bits of the activations are on, once on and once off; two of the weights, once on.
    found = NcuWork.of([tile], EngineConfig())
    seen = OperandActivity(
        lanes=2, zero_flips=2, product_toggles=6, activation_toggles=6, weight_toggles=2
    )
    assert found == NcuWork(3, seen, 1)


def test_runs_keep_every_operand_in_order() -> None:
    rng = np.random.default_rng(3)
    tiles = [
        Tile(8, number > 6, 2, *rng.integers(0, 1 << 16, (2, beats), np.uint16))
        for number, beats in enumerate(rng.integers(1, 90, 12).tolist())
    ]
    runs = list(runs_of(tiles))
    for first in range(3):  # as they are, as halves, joined
        same = [tile for run in runs[first::3] for tile in run]
        for name in ("activations", "weights"):
            joined = np.concatenate([getattr(tile, name) for tile in same])
            assert np.array_equal(joined, np.concatenate([getattr(t, name) for t in tiles]))
    assert [tile for run in runs[::3] for tile in run] == tiles
    assert all(len(run) == 1 for run in runs[2::3])
    assert all(len({tile.unsigned for tile in run}) == 1 for run in runs)
