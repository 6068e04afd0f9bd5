"""Blocks of a layer's neurons that one product of matrices computes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.geometry import Geometry, Wiring


@dataclass(frozen=True, eq=False)
class Block:
    """Channels of one group by outputs, all of one width.

    Attributes
    ----------
    width : in bits
    group : the block of inputs that the channels read
    channels, outputs : indices into the layer's (channels, outputs)
    """

    width: int
    group: int
    channels: NDArray[np.intp]
    outputs: NDArray[np.intp]


def width_blocks(precision: NDArray[np.uint8], groups: int) -> tuple[Block, ...]:
    """Cover each neuron of a layer by exactly one block.

    Outputs at which the same channels of a group have a width are one block, so that no product
    computes a neuron of another width.

    Parameters
    ----------
    precision : (channels, outputs) width of each neuron
    groups : see `Geometry.groups`
    """
    per_group = len(precision) // groups
    found = []
    for group in range(groups):
        first = group * per_group
        members = precision[first : first + per_group]
        for width in np.unique(members).tolist():
            for channels, outputs in _same_columns(members == width):
                found.append(Block(width, group, channels + first, outputs))
    return tuple(found)


def _same_columns(
    used: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(rows, columns) of every set of equal columns that are not empty."""
    patterns, which = np.unique(used, axis=1, return_inverse=True)
    for index, pattern in enumerate(patterns.T):
        if pattern.any():
            yield np.flatnonzero(pattern), np.flatnonzero(which.reshape(-1) == index)


def operand_rows(wiring: Geometry | Wiring, block: Block) -> NDArray[np.intp]:
    """(fan_in, outputs * window) index of each operand of a block in the flat input.

    As in `Geometry.gather`, the index `inputs` stands for padding.
    """
    rows = wiring.operands(block.group, block.outputs).reshape(-1, wiring.fan_in).T
    return np.ascontiguousarray(rows, np.intp)
