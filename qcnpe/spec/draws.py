"""Seeded random draws, instead of the first items of a sequence."""

import numpy as np
from numpy.typing import NDArray


def draw(total: int, count: int | None, *, seed: int) -> NDArray[np.intp]:
    """Indices of `count` out of `total` items, drawn without repeats.

    They are in random order, so that each part of the draw is a random draw, too. All items are
    taken, in their own order, if `count` is None or not less than `total`.
    """
    if count is None or count >= total:
        return np.arange(total)
    return np.random.default_rng(seed).permutation(total)[:count]
