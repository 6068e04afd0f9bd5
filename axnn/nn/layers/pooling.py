"""Maximum over pooling windows, and its backward pass.

Both take a few channels at a time, so that what they read several times stays in the cache.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers.neuron import FloatArray

_BLOCK_BYTES = 1 << 19
"""Size of the values of a block; from 512 KiB to 1 MiB was quickest with 2 MiB of cache a core."""


def pool_largest(values: FloatArray, window: tuple[int, int]) -> FloatArray:
    """Largest value of each window.

    Parameters
    ----------
    values : (channels, rows, columns, batch); whole windows
    window : (height, width)

    Returns
    -------
    (channels, rows / height, columns / width, batch).
    """
    first = next(_places(values, window))
    largest = np.empty(first.shape, values.dtype)
    for block in _channel_blocks(values):
        first, *others = _places(values[block], window)
        largest[block] = first
        for place in others:
            np.maximum(largest[block], place, out=largest[block])
    return largest


def spread_to_largest(
    gradient: FloatArray, values: FloatArray, largest: FloatArray, window: tuple[int, int]
) -> FloatArray:
    """Gradient by the values of `pool_largest`: all of it goes to the first of the largest.

    Parameters
    ----------
    gradient : by the results, in their shape
    values, largest : what `pool_largest` read and returned
    window : (height, width)
    """
    spread = np.empty(values.shape, gradient.dtype)
    for block in _channel_blocks(values):
        waiting = np.ones(largest[block].shape, np.bool_)
        places = zip(_places(values[block], window), _places(spread[block], window), strict=True)
        *others, (_, last) = places
        for value, target in others:
            chosen = value == largest[block]
            chosen &= waiting
            waiting ^= chosen
            _multiply(gradient[block], chosen, target)
        # One of them is the largest: if it is none of the others, it is the last.
        _multiply(gradient[block], waiting, last)
    return spread


def _multiply(gradient: FloatArray, chosen: NDArray[np.bool_], target: FloatArray) -> None:
    # Converted first: a product of two types goes through a buffer.
    np.multiply(gradient, chosen.astype(gradient.dtype), out=target)


def _channel_blocks(values: FloatArray) -> Iterator[slice]:
    """The channels, a few at a time."""
    step = max(1, _BLOCK_BYTES // values[0].nbytes)
    for start in range(0, len(values), step):
        yield slice(start, start + step)


def _places(values: FloatArray, window: tuple[int, int]) -> Iterator[FloatArray]:
    """A view for each place in the window."""
    for row in range(window[0]):
        for column in range(window[1]):
            yield values[:, row :: window[0], column :: window[1]]
