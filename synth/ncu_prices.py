"""Prices what operands make an NCU do, from simulations of pieces of tiles.

An NCU's energy is taken for a sum of five: what each cycle takes in which it works, what it takes
more if the activations are not all zeros, if that has just changed, for each bit product that
toggles, and for each finished sum. The five prices are fitted, by least squares, to the energies of
many short simulations. So that each event happens often and seldom, every piece is simulated as it
is, as two tiles, and in one tile with its neighbours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from qcnpe.activity import operand_activity
from qcnpe.events import OperandActivity
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from synth.traces import Tile

RUN_OPERANDS = 400
"""Operands of 16 bits, or as many lanes of narrower ones, that a simulation has at least."""


@dataclass(frozen=True)
class NcuWork:
    """What happens in one NCU.

    Attributes
    ----------
    beats : cycles in which it works
    activity : what the operands do
    tiles : sums that it finishes
    """

    beats: int
    activity: OperandActivity
    tiles: int

    @classmethod
    def of(cls, tiles: Sequence[Tile], config: EngineConfig) -> "NcuWork":
        """Of tiles of one precision that follow one another."""
        activations, weights = (
            np.concatenate([getattr(tile, name) for tile in tiles])[:, None]
            for name in ("activations", "weights")
        )
        pairs = config.pairs(tiles[0].precision)
        return cls(len(weights), operand_activity(activations, weights, pairs=pairs), len(tiles))

    @property
    def counts(self) -> NDArray[np.float64]:
        """In the order of the prices."""
        seen = self.activity
        counts = (self.beats, seen.lanes, seen.zero_flips, seen.product_toggles, self.tiles)
        return np.array(counts, np.float64)


@dataclass(frozen=True)
class NcuPrices:
    """What each event of `qcnpe.events.EventCounts.events` takes at one precision, in fJ.

    Attributes
    ----------
    beat, lane, zero_flip, product_toggle, tile : named as the events are
    """

    beat: float
    lane: float
    zero_flip: float
    product_toggle: float
    tile: float

    def energy_fj(self, work: NcuWork) -> float:
        """Energy of what happened."""
        return float(work.counts @ np.array(astuple(self)))


def runs_of(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """What is simulated at a time: tiles as they are, each as two, and all as one."""
    for _, alike in groupby(tiles, key=lambda tile: tile.unsigned):
        for run in _gathered(list(alike)):
            yield run
            yield [half for tile in run for half in _halves(tile)]
            yield [_joined(run)]


def _gathered(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Neighbours, until they are long enough; what is left over joins the last."""
    least = RUN_OPERANDS * tiles[0].precision // OPERAND_BITS
    found: list[list[Tile]] = [[]]
    for tile in tiles:
        if sum(len(other.weights) for other in found[-1]) >= least:
            found.append([])
        found[-1].append(tile)
    yield from found


def _halves(tile: Tile) -> list[Tile]:
    middle = -(-len(tile.weights) // 2)
    parts = slice(0, middle), slice(middle, None)
    halves = [
        replace(tile, activations=tile.activations[part], weights=tile.weights[part])
        for part in parts
    ]
    return [half for half in halves if len(half.weights)]


def _joined(tiles: Sequence[Tile]) -> Tile:
    return replace(
        tiles[0],
        activations=np.concatenate([tile.activations for tile in tiles]),
        weights=np.concatenate([tile.weights for tile in tiles]),
    )


def fit_prices(works: Sequence[NcuWork], energies_fj: Sequence[float]) -> NcuPrices:
    """Prices that explain energies best, each with an error that grows as its root.

    Least squares; an event that would give energy back costs nothing and the rest is fitted anew.
    """
    counts, energies = np.array([work.counts for work in works]), np.array(energies_fj)
    scale = 1 / np.sqrt(energies)
    prices = np.zeros(counts.shape[1])
    priced = np.arange(len(prices))
    while True:
        found, *_ = np.linalg.lstsq(counts[:, priced] * scale[:, None], energies * scale)
        if min(found) >= 0:
            prices[priced] = found
            return NcuPrices(*prices.tolist())
        priced = np.delete(priced, np.argmin(found * counts[:, priced].mean(axis=0)))
