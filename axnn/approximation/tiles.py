"""Tiles: the neurons that are lowered together, as the engine computes them.

A tile of the engine is up to `cols` channels that read the same block of inputs, by as many output
positions as fit into `rows` rows with their whole pooling windows, at one precision. Only such
blocks change their width, and the fullest ones are formed first: at every position the layer takes
no more tiles than at a single width, so that there is never a column to be filled by promoting a
neuron to a wider neighbour.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.resilience import Scores, next_width
from axnn.approximation.search import Frozen, Unit
from axnn.quantisation.quantize import Precision
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry, Wiring

UNITS = ("tile", "layer")
"""What can be lowered together: a tile of the engine, or all of a layer."""


def form_tiles(
    scores: Scores,
    precision: Precision,
    frozen: Frozen,
    geometries: Sequence[Geometry | Wiring],
    config: EngineConfig,
) -> list[Unit]:
    """All tiles that can be lowered, the least significant first.

    Parameters
    ----------
    scores : of every neuron; a low one is lowered early
    precision : present width of every neuron
    frozen : neurons that are part of no tile
    geometries : of each layer
    config : the engine
    """
    tiles = []
    for index, geometry in enumerate(geometries):
        movable = (precision[index] > min(config.precisions)) & ~frozen[index]
        for channels, outputs in _blocks(
            scores[index], precision[index], movable, geometry, config
        ):
            neurons = (channels[:, None] * geometry.outputs + outputs).reshape(-1)
            score = float(scores[index].reshape(-1)[neurons].mean())
            tiles.append(Unit(index, neurons, len(neurons), score))
    return sorted(tiles, key=lambda tile: tile.score)


def form_layers(
    scores: Scores, precision: Precision, frozen: Frozen, config: EngineConfig
) -> list[Unit]:
    """Each layer's movable neurons of its widest width as one tile, the least significant first.

    What a choice by layers can do, as a control for the choice by tiles.
    """
    tiles = []
    for index, (layer, widths) in enumerate(zip(scores, precision, strict=True)):
        movable = np.where(frozen[index], 0, widths).reshape(-1)
        if movable.max(initial=0) > min(config.precisions):
            neurons = np.flatnonzero(movable == movable.max())
            tiles.append(
                Unit(index, neurons, len(neurons), float(layer.reshape(-1)[neurons].mean()))
            )
    return sorted(tiles, key=lambda tile: tile.score)


def _blocks(
    scores: NDArray[np.float64],
    precision: NDArray[np.uint8],
    movable: NDArray[np.bool_],
    geometry: Geometry | Wiring,
    config: EngineConfig,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(channels, outputs) of each tile of a layer.

    Positions at which all channels have the same widths are sorted by their scores and cut; then
    at each cut the channels of each width are.
    """
    per_block = geometry.channels // geometry.groups
    positions = max(1, config.rows // geometry.window)
    for start in range(0, geometry.channels, per_block):
        members = slice(start, start + per_block)
        width = np.where(movable[members], precision[members], 0)
        patterns, which = np.unique(width, axis=1, return_inverse=True)
        for index, pattern in enumerate(patterns.T):
            found = np.flatnonzero(which.reshape(-1) == index)
            means = scores[members][pattern > 0][:, found].sum(axis=0)
            for outputs in _cut(found, means, positions):
                for value in np.unique(pattern[pattern > 0]):
                    channels = start + np.flatnonzero(pattern == value)
                    totals = scores[channels][:, outputs].sum(axis=1)
                    for chosen in _cut(channels, totals, config.cols):
                        yield chosen, outputs


def _cut(
    items: NDArray[np.intp], scores: NDArray[np.float64], size: int
) -> Iterator[NDArray[np.intp]]:
    """The items in the order of their scores, at most `size` at a time."""
    ordered = items[np.argsort(scores, kind="stable")]
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def lower(precision: Precision, tiles: Sequence[Unit], config: EngineConfig) -> Precision:
    """The precision with these tiles one width down."""
    lowered = tuple(widths.copy() for widths in precision)
    for tile in tiles:
        flat = lowered[tile.layer].reshape(-1)
        flat[tile.members] = next_width(int(flat[tile.members[0]]), config)
    return lowered
