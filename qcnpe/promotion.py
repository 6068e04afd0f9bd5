"""Promotion: narrow neurons move into idle columns of a wider tile where that lowers the cost.

A tile has one precision. So a few neurons of a narrow width take a tile of their own, even if a
wider tile that reads the same inputs has idle columns. Moved into these columns, they need no tile
of their own. That changes the network, not only its schedule: a promoted neuron keeps its weights
but reads its inputs at the wider width, with less rounding. It is therefore a step from `QuantNet`
to `QuantNet`, done before a network is evaluated, and never by the compiler.

A network whose widths were lowered by whole tiles (`axnn.approximation.tiles`) has at most one
tile that is not full for each block of inputs, and nothing to promote.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import check_capacity, compile_layer, group_neurons
from qcnpe.events import EventCounts
from qcnpe.spec.commands import SHIFT_RANGE
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.qnet import Copies, QuantLayer, QuantNet, WidthOperands


def count_cycles(counts: EventCounts) -> float:
    """The number of cycles: a cost that needs no prices."""
    return counts.cycles


def promote(
    net: QuantNet,
    config: EngineConfig,
    batch: int,
    cost: Callable[[EventCounts], float] = count_cycles,
) -> QuantNet:
    """A network of lower cost in which no neuron is less precise, or the same network.

    Parameters
    ----------
    net : the network
    config, batch : the engine, and the samples in one run
    cost : cost of a layer by its events; each step must lower it. With the prices of events it is
        energy, which also counts that the operations of a wider neuron take more of it

    Raises
    ------
    CapacityError
        If the network does not fit the engine in the first place.
    """
    layers = []
    for layer in net.layers:
        check_capacity(layer, config)

        def layer_cost(candidate: QuantLayer) -> float:
            return cost(compile_layer(candidate, Copies({}, False), config, batch).counts)

        layers.append(_promote_layer(layer, config, layer_cost))
    return replace(net, layers=tuple(layers))


def _promote_layer(
    layer: QuantLayer, config: EngineConfig, cost: Callable[[QuantLayer], float]
) -> QuantLayer:
    """Make every move that lowers the cost, until none does."""
    lowest, changed = cost(layer), True
    while changed:
        changed = False
        for move in list(_moves(layer, config.cols)):
            candidate = _moved(layer, move, config)
            if candidate is not None and (found := cost(candidate)) < lowest:
                layer, lowest, changed = candidate, found, True
    return layer


@dataclass(frozen=True)
class _Move:
    """Neurons of a tile that is not full, and the width of another one that has room for them."""

    channels: NDArray[np.intp]
    outputs: NDArray[np.intp]
    narrow: int
    wide: int


def _moves(layer: QuantLayer, cols: int) -> Iterator[_Move]:
    """All moves that empty a tile; those of the narrowest neurons by the fewest bits first."""
    partial = [group for group in group_neurons(layer, cols) if len(group.channels) < cols]
    for _, beside in groupby(partial, lambda group: (group.block, group.outputs.tobytes())):
        ascending = sorted(beside, key=lambda group: group.precision)
        for index, narrow in enumerate(ascending):
            for wide in ascending[index + 1 :]:
                if len(narrow.channels) + len(wide.channels) <= cols:
                    yield _Move(narrow.channels, narrow.outputs, narrow.precision, wide.precision)


def _moved(layer: QuantLayer, move: _Move, config: EngineConfig) -> QuantLayer | None:
    """The layer after a move; None if it loses precision, does not fit, or is out of date."""
    places = np.ix_(move.channels, move.outputs)
    source, target = layer.widths[move.narrow], layer.widths[move.wide]
    stale = (layer.precision[places] != move.narrow).any()
    if stale or not _reads_as_finely(target, move.wide, source, move.narrow):
        return None
    steps = {
        narrow - wide for narrow, wide in zip(source.input_shifts, target.input_shifts, strict=True)
    }
    if len(steps) > 1:
        return None  # the sources' products would no longer be on one scale
    weights, shift = target.weights.copy(), target.shift.astype(np.int64)
    weights[move.channels] = source.weights[move.channels]
    shift[move.channels] = source.shift[move.channels] + steps.pop()
    # A channel has one set of weights at a width, for all its outputs.
    used = (layer.precision == move.wide).any(axis=1)
    if (weights[used] != target.weights[used]).any() or (shift[used] != target.shift[used]).any():
        return None
    if shift.max() > SHIFT_RANGE[1]:
        return None
    operands = WidthOperands(weights, shift.astype(np.int8), target.input_shifts)
    precision = layer.precision.copy()
    precision[places] = move.wide
    promoted = replace(layer, precision=precision, widths={**layer.widths, move.wide: operands})
    try:
        check_capacity(promoted, config)
    except CapacityError:
        return None
    return promoted


def _reads_as_finely(wide: WidthOperands, width: int, narrow: WidthOperands, other: int) -> bool:
    """Whether the wide copy of the inputs has every value that the narrow one has."""
    return all(
        (width == OPERAND_BITS or width + wide_shift >= other + narrow_shift)
        and wide_shift <= narrow_shift
        for wide_shift, narrow_shift in zip(wide.input_shifts, narrow.input_shifts, strict=True)
    )
