"""Groups of tiles without a layer."""

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import TileGroup


def tile_group(weights: NDArray[np.uint16], precision: int, cols: int) -> TileGroup:
    """A group of `cols` channels with these weights (beats, columns), and nothing else."""
    none = np.zeros(0, np.intp)
    return TileGroup(
        precision=precision,
        block=0,
        channels=np.arange(cols),
        outputs=none,
        operands=none,
        words=np.arange(len(weights)),
        weights=weights,
        parameters=np.zeros(cols, np.uint32),
        tiles=(),
        commands=np.zeros(0, np.uint64),
    )
