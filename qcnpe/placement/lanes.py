"""Lane entries of tiles, and how few of them suffice: tiles that repeat at a constant distance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Run:
    """Tiles of one `Tiles` descriptor.

    Attributes
    ----------
    first : number of the first tile
    tiles, repeat : as in the descriptor
    entry : number of the first tile's lane entries, in tiles
    starts, steps : in positions, of each source or map
    """

    first: int
    tiles: int
    repeat: int
    entry: int
    starts: tuple[int, ...]
    steps: tuple[int, ...]


def find_runs(places: Sequence[_Ints]) -> tuple[list[Run], list[int]]:
    """Runs that cover all tiles, and the tiles whose lane entries they use.

    Parameters
    ----------
    places : (tiles, rows) positions of each source and map; -1 where a row is not valid
    """
    count = len(places[0])
    full = count
    for each in places:  # the last tile may have fewer rows
        if ((each[-1] >= 0) != (each[0] >= 0)).any():
            full = count - 1
    runs = []
    zeros = (0,) * len(places)
    period, steps = _period([each[:full] for each in places])
    if period == full < count:  # no tile repeats another one
        return [Run(0, count, 1, 0, zeros, zeros)], list(range(count))
    repeat, rest = divmod(full, period)
    runs.append(Run(0, period, repeat, 0, zeros, steps))
    if rest:
        starts = tuple(repeat * step for step in steps)
        runs.append(Run(repeat * period, rest, 1, 0, starts, zeros))
    entries = list(range(period))
    if full < count:
        runs.append(Run(full, 1, 1, period, zeros, zeros))
        entries.append(full)
    return runs, entries


def cut_run(run: Run, pieces: int) -> list[Run]:
    """The same tiles in so many runs, or in as many as it has repetitions."""
    found = []
    bounds = np.linspace(0, run.repeat, min(pieces, run.repeat) + 1).astype(int).tolist()
    for start, end in pairwise(bounds):
        starts = tuple(
            first + start * step for first, step in zip(run.starts, run.steps, strict=True)
        )
        first = run.first + start * run.tiles
        found.append(replace(run, first=first, repeat=end - start, starts=starts))
    return found


def _period(places: Sequence[_Ints]) -> tuple[int, tuple[int, ...]]:
    """Least number of tiles after which all positions repeat at a constant distance."""
    count = len(places[0])
    for period in range(1, count):
        steps = [_step(each, period) for each in places]
        if all(step is not None for step in steps):
            return period, tuple(step or 0 for step in steps)
    return count, (0,) * len(places)


def _step(places: _Ints, period: int) -> int | None:
    """Distance between tiles `period` apart if it is constant and not negative, else None."""
    valid = places[0] >= 0
    if not valid.any():
        return 0
    step = int(places[period][valid][0] - places[0][valid][0])
    if step < 0 or (places[period][valid] - places[0][valid] != step).any():
        return None
    apart = places[period:, valid] - places[:-period, valid]
    return step if (apart == step).all() else None
