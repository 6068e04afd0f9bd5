"""Maximum over pooling windows, and the way back of its gradient."""

from collections.abc import Iterator

import numpy as np

from axnn.layers.neuron import FloatArray


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
    places = _places(values, window)
    largest = next(places)
    for place in places:
        largest = np.maximum(largest, place)
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
    waiting = np.ones(largest.shape, np.bool_)
    for value, target in zip(_places(values, window), _places(spread, window), strict=True):
        chosen = (value == largest) & waiting
        np.multiply(gradient, chosen, out=target)
        waiting &= ~chosen
    return spread


def _places(values: FloatArray, window: tuple[int, int]) -> Iterator[FloatArray]:
    """A view for each place in the window."""
    for row in range(window[0]):
        for column in range(window[1]):
            yield values[:, row :: window[0], column :: window[1]]
