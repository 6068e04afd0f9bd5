"""The bit-exact reference model of the engine in numpy, which executes the engine's streams."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import activate
from qcnpe.spec.commands import (
    SHIFT_OFFSET,
    Command,
    ErrorCause,
    TableLoad,
    TileCommand,
    decode_until_bad,
)
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.fixed import narrow, round_shift, saturate, unpack
from qcnpe.spec.streams import Streams, pack_results

Watch = Callable[[TileCommand, NDArray[np.int64]], None]
"""Called with the command of tiles and their sums, (tiles, rows, cols), in order of execution."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of the execution of streams.

    Attributes
    ----------
    results : uint64 (beats, rows) result lanes
    error : cause of the bad command that halted it
    """

    results: NDArray[np.uint64]
    error: ErrorCause


def execute(
    config: EngineConfig,
    streams: Streams,
    *,
    ceiling: int = OPERAND_BITS,
    watch: Watch | None = None,
) -> Outcome:
    """Execute streams as the engine does: a bad command halts it, and words after it are ignored.

    Parameters
    ----------
    config : the engine
    streams : inputs of the engine
    ceiling : on `gated`, the widest operands that the host allows
    watch : sees the sums of all tiles

    Raises
    ------
    FormatError
        If a stream ends before the commands are done; the engine itself would wait.
    """
    streams.check(config)
    commands, error = decode_until_bad(config, streams.commands)
    machine = _Machine(config, streams, ceiling, watch)
    blocks = [np.zeros((0, config.rows), np.uint64)]
    for command, run in groupby(commands):
        blocks.extend(machine.step(command, sum(1 for _ in run)))
    return Outcome(np.concatenate(blocks), error)


class _Machine:
    """Positions in the streams, and the table."""

    def __init__(
        self, config: EngineConfig, streams: Streams, ceiling: int, watch: Watch | None
    ) -> None:
        self.config = config
        self.watch = watch
        self.ceiling = ceiling if config.kind.is_gated else OPERAND_BITS
        self.streams = streams
        self.beat = self.parameter = 0
        self.knots = np.zeros(config.table_segments + 1, np.int64)

    def step(self, command: Command, repeats: int) -> Iterator[NDArray[np.uint64]]:
        """Execute the same command `repeats` times; yields blocks of result beats."""
        if isinstance(command, TableLoad):
            for _ in range(repeats):
                knots = self._take_parameters(self.config.table_segments + 1)
                self.knots = _signed16(knots)
        else:
            yield self._tiles(command, repeats)

    def _tiles(self, command: TileCommand, tiles: int) -> NDArray[np.uint64]:
        rows, cols, beats = command.rows, command.cols, command.beats
        sums = self._accumulate(command, tiles)
        if self.watch:
            self.watch(command, sums)
        words = self._take_parameters(tiles * cols).reshape(tiles, 1, cols)
        shifted = round_shift(sums, ((words >> 16) & 0x3F) - SHIFT_OFFSET)
        pre_activation = saturate(shifted + _signed16(words), OPERAND_BITS)
        window = command.window
        largest = pre_activation.reshape(tiles, rows // window, window, cols).max(axis=2)
        pooled = activate(largest, command.function, self.knots)
        lanes = np.zeros((tiles, cols, self.config.rows), np.uint64)
        lanes[:, :, :rows:window] = self._copies(command, pooled).transpose(0, 2, 1)
        self.beat += tiles * beats
        return lanes.reshape(tiles * cols, self.config.rows)

    def _accumulate(self, command: TileCommand, tiles: int) -> NDArray[np.int64]:
        """(tiles, rows, cols) sums, wrapped to the accumulator's width.

        float64 holds them exactly: 65,535 beats of products below 2**32 stay below 2**48.
        """
        precision, beats = min(command.precision, self.ceiling), command.beats
        end = self.beat + tiles * beats
        if end > min(len(self.streams.activations), len(self.streams.weights)):
            raise FormatError("the operand streams end before the last tile; send all its beats")
        pairs = self.config.pairs(precision)
        left = self._lanes(self.streams.activations, end, tiles, command.rows)
        right = self._lanes(self.streams.weights, end, tiles, command.cols)
        activations = unpack(left, precision, pairs, unsigned=command.unsigned).astype(np.float64)
        weights = unpack(right, precision, pairs).astype(np.float64)
        sums = (activations @ weights.transpose(0, 2, 1)).astype(np.int64)
        wrap = 64 - self.config.accumulator_bits
        return (sums << wrap) >> wrap

    def _lanes(
        self, stream: NDArray[np.uint16], end: int, tiles: int, lanes: int
    ) -> NDArray[np.uint16]:
        """(tiles, lanes, beats) of the next tiles."""
        beats = stream[self.beat : end, :lanes]
        return beats.reshape(tiles, -1, lanes).transpose(0, 2, 1)

    def _take_parameters(self, count: int) -> NDArray[np.int64]:
        words = self.streams.parameters[self.parameter : self.parameter + count]
        if len(words) < count:
            raise FormatError("the parameter stream ends before the last tile; send all its words")
        self.parameter += count
        return words.astype(np.int64)

    def _copies(self, command: TileCommand, values: NDArray[np.int64]) -> NDArray[np.uint64]:
        copies = {
            width: narrow(values, shift, width, unsigned=command.unsigned_copies)
            for width, shift in command.copies.items()
        }
        results = np.zeros_like(values) if command.copies_only else values
        return pack_results(self.config, results, copies)


def _signed16(words: NDArray[np.int64]) -> NDArray[np.int64]:
    low = words & 0xFFFF
    return low - ((low >> 15) << 16)
