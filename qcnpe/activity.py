"""What operands make NCUs do, counted from the streams that the driver sends for real samples.

Their sums are those of the reference model.

An NCU multiplies each activation lane of its row by each weight lane of its column, so that what
is summed over an array is a product of sums: over the rows, and over the columns.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import Program, compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.events import OperandActivity
from qcnpe.spec.commands import TileCommand
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.model import execute
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


class _SumMeter:
    """Counts the bits that change from one sum of a row to the next, by precision."""

    def __init__(self, config: EngineConfig) -> None:
        self.toggles: Counter[int] = Counter()
        self._bits = (1 << config.accumulator_bits) - 1
        self._last = np.zeros((config.rows, 1), np.int64)

    def see(self, tile: TileCommand, sums: NDArray[np.int64]) -> None:
        """Count the sums of tiles of one command; the columns of a tile follow one another."""
        in_order = sums.transpose(1, 0, 2).reshape(tile.rows, -1)
        steps = np.concatenate([self._last[: tile.rows], in_order], axis=1)
        changed = (steps[:, 1:] ^ steps[:, :-1]) & self._bits
        self.toggles[tile.precision] += int(np.bitwise_count(changed).sum())
        self._last[: tile.rows] = in_order[:, -1:]


def stream_activity(config: EngineConfig, streams: Streams) -> dict[int, OperandActivity]:
    """What streams of good commands make an idle engine do, by precision.

    A row or column that a tile leaves out counts as zeros before the next tile.
    """
    return _execute(config, streams)[1]


def _execute(
    config: EngineConfig, streams: Streams
) -> tuple[NDArray[np.uint64], dict[int, OperandActivity]]:
    """Results of good commands, and what they make an idle engine do."""
    meter = _SumMeter(config)
    results = execute(config, streams, watch=meter.see).results
    return results, {
        width: replace(seen, sum_toggles=meter.toggles[width])
        for width, seen in _operands(config, streams).items()
    }


def _operands(config: EngineConfig, streams: Streams) -> dict[int, OperandActivity]:
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
    """The integer model, which keeps what it is sent as activity and counts no cycles."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self.layers: list[Mapping[int, OperandActivity]] = []

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Count and interpret the streams."""
        results, seen = _execute(self.config, streams)
        self.layers.append(seen)
        return results


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
