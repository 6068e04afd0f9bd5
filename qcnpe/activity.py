"""What operands make NCUs do, counted from the streams that the driver sends for real samples.

An NCU multiplies each activation lane of its row by each weight lane of its column, so that what
is summed over an array is a product of sums: over the rows, and over the columns.
"""

from collections.abc import Mapping
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import Program, compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.events import OperandActivity
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.streams import Streams

Lanes = NDArray[np.uint16]


def operand_activity(
    activations: Lanes, weights: Lanes, *, pairs: int, before: tuple[Lanes, Lanes] | None = None
) -> OperandActivity:
    """What all NCUs do, that see each row's activations and each column's weights.

    Parameters
    ----------
    activations : (beats, rows) packed lanes
    weights : (beats, cols) packed lanes
    pairs : operands in a lane
    before : (rows,) and (cols,), the lanes of the beat before; by default zeros
    """
    first, second = before or (np.zeros_like(activations[:1]), np.zeros_like(weights[:1]))
    left = np.concatenate([np.atleast_2d(first), activations])
    right = np.concatenate([np.atleast_2d(second), weights])
    some, columns = left != 0, weights.shape[1]
    return OperandActivity(
        lanes=columns * int(some[1:].sum()),
        zero_flips=columns * int((some[1:] != some[:-1]).sum()),
        product_toggles=sum(
            _toggles(left & field, right & field) for field in _field_masks(OPERAND_BITS // pairs)
        ),
        activation_toggles=int(_ones(left[1:] ^ left[:-1]).sum()),
        weight_toggles=int(_ones(right[1:] ^ right[:-1]).sum()),
    )


def _field_masks(bits: int) -> list[np.uint16]:
    """The operands of a lane, each as a mask of its bits."""
    return [np.uint16((1 << bits) - 1 << low) for low in range(0, OPERAND_BITS, bits)]


def _toggles(left: Lanes, right: Lanes) -> int:
    """Bit products of a pair that change: set now, plus set before, less twice set in both."""
    is_set = _ones(left) * _ones(right)
    stays = _ones(left[1:] & left[:-1]) * _ones(right[1:] & right[:-1])
    return int(is_set[1:].sum() + is_set[:-1].sum() - 2 * stays.sum())


def _ones(lanes: Lanes) -> NDArray[np.int64]:
    """Bits that are set in each beat, over all lanes."""
    return np.bitwise_count(lanes).sum(axis=1, dtype=np.int64)


def stream_activity(config: EngineConfig, streams: Streams) -> dict[int, OperandActivity]:
    """What streams of good commands make an idle engine's NCUs do, by precision.

    A row or column that a tile leaves out counts as zeros before the next tile.
    """
    found: dict[int, OperandActivity] = {}
    start = 0
    blank = np.zeros_like(streams.activations[:1]), np.zeros_like(streams.weights[:1])
    for tile, run in groupby(streams.tiles(config)):
        beats = slice(start, start + tile.beats * sum(1 for _ in run))
        last = slice(start - 1, start)
        earlier = (streams.activations[last], streams.weights[last]) if start else blank
        seen = operand_activity(
            streams.activations[beats, : tile.rows],
            streams.weights[beats, : tile.cols],
            pairs=config.pairs(tile.precision),
            before=(earlier[0][:, : tile.rows], earlier[1][:, : tile.cols]),
        )
        found[tile.precision] = found.get(tile.precision, OperandActivity()) + seen
        start = beats.stop
    return found


class _Meter(ModelTransport):
    """The integer model, which keeps what it is sent as activity."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self.layers: list[Mapping[int, OperandActivity]] = []

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Count and interpret the streams."""
        self.layers.append(stream_activity(self.config, streams))
        return super().exchange(streams)


def program_activity(
    program: Program, inputs: NDArray[np.int16]
) -> tuple[Mapping[int, OperandActivity], ...]:
    """What a batch's operands make NCUs do, by layer and precision.

    Parameters
    ----------
    program : compiled for the batch
    inputs : int16 (program.batch, features), see `QuantNet.quantize_inputs`
    """
    meter = _Meter(program.config)
    Driver(meter).run(program, inputs)
    return tuple(meter.layers)


def network_activity(
    net: QuantNet, config: EngineConfig, inputs: NDArray[np.int16], *, batch: int
) -> tuple[Mapping[int, OperandActivity], ...]:
    """What any number of samples' operands make NCUs do, by layer and precision.

    Parameters
    ----------
    net, config : network and engine
    inputs : int16 (samples, features), see `QuantNet.quantize_inputs`
    batch : samples that go to the engine at once
    """
    total: tuple[dict[int, OperandActivity], ...] = tuple({} for _ in net.layers)
    for start in range(0, len(inputs), batch):
        part = inputs[start : start + batch]
        found = program_activity(compile_network(net, config, len(part)), part)
        for layer, seen in zip(total, found, strict=True):
            for precision, each in seen.items():
                layer[precision] = layer.get(precision, OperandActivity()) + each
    return total
