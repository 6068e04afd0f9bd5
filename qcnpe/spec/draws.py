"""Seeded random draws: a sample of what there is, in place of the first so many of it."""

import numpy as np
from numpy.typing import NDArray


def draw(total: int, count: int | None, *, seed: int) -> NDArray[np.intp]:
    """Indices of `count` out of `total` things, drawn without repeats.

    They are in random order, so that a part of the draw is a draw, too. All are taken, in their
    own order, if `count` is None or not less than `total`.
    """
    if count is None or count >= total:
        return np.arange(total)
    return np.random.default_rng(seed).permutation(total)[:count]
