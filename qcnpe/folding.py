"""Folded weights: rows that hold each weight once, which taps unfold into beats.

Where columns are output positions, a kernel comes again in many columns and beats, shifted. A row
holds its weights in such lanes that each beat is the row, turned by some lanes, of which some are
cleared; see "Weights" in `qcnpe.spec.memory.tables`. What is equal is found by value, in all groups
of tiles together that are read in the same way, so that they have the same taps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import TileGroup
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.memory.tables import FOLD_LANES

_Ints = NDArray[np.intp]

_LEAST_SAVING = 1.5
"""Folding is tried where it might save a third of the words."""

_NO_WEIGHT = -1


@dataclass(frozen=True)
class Unfolding:
    """How the beats of a tile follow from rows.

    Attributes
    ----------
    places, turns : of each beat, see `tables.TAP_FIELDS`
    ends : whether a beat is the last one of its row
    spread : see `tables.TAP_FIELDS`
    """

    places: tuple[int, ...]
    turns: tuple[int, ...]
    ends: tuple[bool, ...]
    spread: bool


@dataclass(frozen=True, eq=False)
class FoldedWeights:
    """Weights of a group of tiles as they are stored.

    Attributes
    ----------
    rows : uint16 (rows, engine columns)
    unfolding : of its beats, or None if each beat has a row of its own
    """

    rows: NDArray[np.uint16]
    unfolding: Unfolding | None = None

    def words(self, bus_bits: int) -> int:
        """Bus words of the rows."""
        used = int(np.flatnonzero(self.rows.any(axis=0)).max(initial=0)) + 1
        return len(self.rows) * -(-used * OPERAND_BITS // bus_bits)


def fold_groups(groups: Sequence[TileGroup], config: EngineConfig) -> list[FoldedWeights]:
    """The weights of each group of a layer.

    Parameters
    ----------
    groups : of the layer, compiled with stored maps
    config : the engine
    """
    alike: dict[tuple[int, int, bytes], list[int]] = {}
    for number, group in enumerate(groups):
        key = group.precision, len(group.channels), np.diff(group.words).tobytes()
        alike.setdefault(key, []).append(number)
    found = [FoldedWeights(group.weights) for group in groups]
    for (precision, cols, _), members in alike.items():
        blocks = np.stack([groups[number].weights for number in members])
        folded = _fold(blocks, cols, precision, config)
        if folded is not None:
            rows, unfolding = folded
            for number, own in zip(members, rows, strict=True):
                found[number] = FoldedWeights(own, unfolding)
    return found


def _fold(
    blocks: NDArray[np.uint16], cols: int, precision: int, config: EngineConfig
) -> tuple[NDArray[np.uint16], Unfolding] | None:
    """Rows of all blocks (groups, beats, columns) and their unfolding; None if it does not pay."""
    words, spread = _join_columns(blocks[:, :, :cols], precision, config.pairs(precision))
    if words.shape[2] > FOLD_LANES:
        return None
    pattern = _pattern(words)
    lanes, plain = min(config.cols, FOLD_LANES), blocks.shape[1] * -(-cols // 4)
    if (pattern.max() + 1) / 4 * _LEAST_SAVING > plain or (pattern < 0).all(axis=1).any():
        return None
    rows = _find_rows(pattern.tobytes(), pattern.shape[1], lanes)
    if not rows or len(rows) * max(_bus_words(row) for row in rows) >= plain:
        return None
    found = np.zeros((len(blocks), len(rows), config.cols), np.uint16)
    places, turns, ends = [], [], []
    for number, row in enumerate(rows):
        for beat in row.beats:
            used = np.flatnonzero(pattern[beat] >= 0).tolist()
            lane = [row.lanes[int(pattern[beat, place])] for place in used]
            found[:, number, lane] = words[:, beat, used]
            places.append(sum(1 << place for place in used))
            turns.append((lane[0] - used[0]) % FOLD_LANES)
            ends.append(beat == row.beats[-1])
    return found, Unfolding(tuple(places), tuple(turns), tuple(ends), spread)


def _bus_words(row: "_Row") -> int:
    """Words of 64 bits that a row takes."""
    return -(-(max(row.lanes.values()) + 1) // 4)


def _join_columns(
    blocks: NDArray[np.uint16], precision: int, pairs: int
) -> tuple[NDArray[np.uint16], bool]:
    """Words of neighbouring columns in one, if each has operands in a slot of its own."""
    groups, beats, cols = blocks.shape
    slots = np.arange(cols) % pairs
    own = (((1 << precision) - 1) << slots * precision).astype(np.uint16)
    if pairs == 1 or (blocks & ~own).any():
        return blocks, False
    padded = np.zeros((groups, beats, -(-cols // pairs) * pairs), np.uint16)
    padded[:, :, :cols] = blocks
    joined = np.bitwise_or.reduce(padded.reshape(groups, beats, -1, pairs), axis=3)
    return joined, True


def _pattern(words: NDArray[np.uint16]) -> _Ints:
    """(beats, places) number of the weight, those that are equal in all groups; -1 for zeros."""
    groups, beats, places = words.shape
    flat = np.ascontiguousarray(words.reshape(groups, -1).T)
    _, first, which = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    zero = ~flat[first].any(axis=1)
    order = np.argsort(np.where(zero, len(flat), first), kind="stable")
    ranks = np.empty(len(first), np.intp)
    ranks[order] = np.arange(len(first))
    ranks[zero] = _NO_WEIGHT
    return ranks[which.ravel()].reshape(beats, places)


@dataclass(frozen=True)
class _Row:
    """A row: the lane of each of its weights, and the beats that unfold it."""

    lanes: dict[int, int]
    beats: range


@lru_cache(maxsize=256)
def _find_rows(pattern: bytes, places: int, lanes: int) -> tuple[_Row, ...]:
    """Rows for all beats in their order, each for as many beats as can have it.

    None at all if a beat has a weight twice: no turn gives that.
    """
    beats = np.frombuffer(pattern, np.intp).reshape(-1, places)
    found: list[_Row] = []
    parts: list[dict[int, int]] = []
    for number, beat in enumerate(beats.tolist()):
        used = [(place, weight) for place, weight in enumerate(beat) if weight >= 0]
        if len({weight for _, weight in used}) < len(used):
            return ()
        joined = _join_beat(parts, used)
        packed = None if joined is None else _pack(joined, lanes)
        if joined is None or packed is None:
            joined = [{weight: place for place, weight in used}]
            packed = _pack(joined, lanes)
            assert packed is not None
            found.append(_Row(packed, range(number, number + 1)))
        elif found:
            found[-1] = _Row(packed, range(found[-1].beats.start, number + 1))
        else:
            found.append(_Row(packed, range(number + 1)))
        parts = joined
    return tuple(found)


def _join_beat(
    parts: Sequence[dict[int, int]], used: Sequence[tuple[int, int]]
) -> list[dict[int, int]] | None:
    """Parts of a row, each of weights at fixed distances, with those of a beat as one of them.

    None if the beat needs other distances, or two weights in one lane.
    """
    own = {weight: place for place, weight in used}
    rest = []
    for part in parts:
        shared = [weight for weight in part if weight in own]
        if not shared:
            rest.append(part)
            continue
        moved = own[shared[0]] - part[shared[0]]
        for weight, lane in part.items():
            moved_lane = (lane + moved) % FOLD_LANES
            if own.setdefault(weight, moved_lane) != moved_lane:
                return None
    if len(set(own.values())) < len(own):
        return None
    return [own, *rest]


def _pack(parts: Sequence[dict[int, int]], lanes: int) -> dict[int, int] | None:
    """A lane for each weight of all parts, the large ones first, as low as can be."""
    found: dict[int, int] = {}
    free = set(range(lanes))
    for part in sorted(parts, key=len, reverse=True):
        fits = [turned for turned in _turned(part) if set(turned.values()) <= free]
        if not fits:
            return None
        best = min(fits, key=lambda turned: max(turned.values()))
        found |= best
        free -= set(best.values())
    return found


def _turned(part: dict[int, int]) -> Iterator[dict[int, int]]:
    for turn in range(FOLD_LANES):
        yield {weight: (lane + turn) % FOLD_LANES for weight, lane in part.items()}
