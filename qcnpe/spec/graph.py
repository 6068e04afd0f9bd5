"""Layers that read one another, run in order."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.geometry import NETWORK_INPUT

Value = TypeVar("Value")
_Floats = NDArray[np.floating]


def run_graph(
    reads: Sequence[tuple[int, ...]], inputs: Value, run: Callable[[int, list[Value]], Value]
) -> Value:
    """Result of the last layer; those in between are kept while they are read.

    Parameters
    ----------
    reads : for each layer the earlier ones that it reads, or `NETWORK_INPUT`
    inputs : of the network
    run : given the index of a layer and what it reads, in the order of its `reads`, returns its
        result
    """
    last_reader = {place: index for index, read in enumerate(reads) for place in read}
    values = {NETWORK_INPUT: inputs}
    for index, read in enumerate(reads):
        values[index] = run(index, [values[place] for place in read])
        for place in read:
            if last_reader[place] == index:
                values.pop(place, None)
    return values[len(reads) - 1]


def run_joined_graph(
    reads: Sequence[tuple[int, ...]], inputs: _Floats, run: Callable[[int, _Floats], _Floats]
) -> _Floats:
    """Result of the last layer, where each reads several results as one, see `Wiring`.

    Parameters
    ----------
    reads, inputs : see `run_graph`; results are (features, batch)
    run : given the index of a layer and its flat input, returns its result
    """

    def run_joined(index: int, read: list[_Floats]) -> _Floats:
        return run(index, read[0] if len(read) == 1 else np.concatenate(read))

    return run_graph(reads, inputs, run_joined)
