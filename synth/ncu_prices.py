"""Finds the prices of the events in a neural compute unit (NCU), by simulating pieces of tiles.

The energy of an NCU is modelled as a sum of five terms: one for each cycle in which it works, one
for each of these in which the activations are not all zero, one for each change between zero and
other activations, one for each bit product that toggles, and one for each finished sum. The five
prices are fitted by least squares to the energies of many short simulations. To vary how often each
event happens, every piece is simulated as it is, as two tiles, and in one tile with its neighbours.
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
"""Fewest lanes of operands in one simulation."""


@dataclass(frozen=True)
class NcuWork:
    """Numbers of events in one NCU.

    Attributes
    ----------
    beats : cycles in which it works
    activity : events of the operands
    tiles : sums that it finishes
    """

    beats: int
    activity: OperandActivity
    tiles: int

    @classmethod
    def of(cls, tiles: Sequence[Tile], config: EngineConfig) -> "NcuWork":
        """Events of tiles of one precision that follow one another."""
        activations, weights = (
            np.concatenate([getattr(tile, name) for tile in tiles])[:, None]
            for name in ("activations", "weights")
        )
        pairs = config.pairs(tiles[0].precision)
        return cls(len(weights), operand_activity(activations, weights, pairs=pairs), len(tiles))

    @property
    def counts(self) -> NDArray[np.float64]:
        """Numbers of events, in the order of the prices."""
        seen = self.activity
        counts = (self.beats, seen.lanes, seen.zero_flips, seen.product_toggles, self.tiles)
        return np.array(counts, np.float64)


@dataclass(frozen=True)
class NcuPrices:
    """Energy of each event of `qcnpe.events.EventCounts.events` at one precision, in fJ.

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
        """Energy of some events."""
        return float(work.counts @ np.array(astuple(self)))


def runs_of(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Tiles of each simulation: the tiles as they are, each as two, and all as one."""
    for _, alike in groupby(tiles, key=lambda tile: tile.unsigned):
        for run in _gathered(list(alike)):
            yield run
            yield [half for tile in run for half in _halves(tile)]
            yield [_joined(run)]


def _gathered(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Neighbouring tiles in groups that are long enough; the last group takes the rest."""
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
    """Prices that fit the energies best; the error of an energy is assumed to grow as its root."""
    counts, energies = np.array([work.counts for work in works]), np.array(energies_fj)
    return NcuPrices(*fit_nonnegative(counts, energies, np.sqrt(energies)).tolist())


def fit_nonnegative(
    counts: NDArray[np.float64], energies: NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Prices by event that fit energies best, by least squares.

    If a price would be negative, it is set to zero and the others are fitted again.

    Parameters
    ----------
    counts : (simulations, events)
    energies : (simulations,)
    errors : (simulations,) that the energies are assumed to have, in any unit
    """
    scale = 1 / errors
    prices = np.zeros(counts.shape[1])
    priced = np.flatnonzero(counts.any(axis=0))
    while len(priced):
        found, *_ = np.linalg.lstsq(counts[:, priced] * scale[:, None], energies * scale)
        if min(found) >= 0:
            prices[priced] = found
            break
        priced = np.delete(priced, np.argmin(found * counts[:, priced].mean(axis=0)))
    return prices
