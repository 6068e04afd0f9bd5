"""Probes: short programs that make an engine's units do their work in different proportions.

The operands are those of the trace of a trained network, in half of the programs without its zeros.
Sums have biases and shifts as after training: results are spread over a part of their 16 bits, and
their copies over the copies' bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import Function, table_knots
from qcnpe.spec.commands import SHIFT_RANGE, TableLoad, TileCommand, parameter_words
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.fixed import unpack
from qcnpe.spec.streams import Streams
from synth.measure import filled, operands
from synth.traces import Tile, Trace

PROBES = 30
"""Programs of a measurement."""

RESULT_BITS = 13
"""Bits that a standard deviation of the results takes: two of the table's fraction bits."""

CYCLES = 64
"""Cycles in which beats enter the array or columns leave it, in each probe."""

_MOST_BEATS = 25


@dataclass(frozen=True)
class _Shape:
    """Shares of the rows, of the columns, and of `_MOST_BEATS` that tiles use."""

    rows: float = 1.0
    cols: float = 1.0
    beats: float = 1.0


_SHAPES = (
    _Shape(),
    _Shape(beats=0.08),
    _Shape(rows=0.5, beats=0.6),
    _Shape(cols=0.5, beats=0.3),
    _Shape(rows=0.75, cols=0.25, beats=0.15),
)


def probes(config: EngineConfig, trace: Trace, *, seed: int) -> list[Streams]:
    """Programs that differ in precision, function, copies, window and shape of their tiles.

    The first one loads the activation functions' table.
    """
    rng = np.random.default_rng(seed)
    return [_load_table(config)] + [_probe(config, trace, rng, n) for n in range(PROBES)]


def _load_table(config: EngineConfig) -> Streams:
    knots = table_knots("tanh", config.table_segments).astype(np.uint16).astype(np.uint32)
    return Streams(
        commands=np.array([TableLoad().word()], np.uint64),
        activations=np.zeros((0, config.rows), np.uint16),
        weights=np.zeros((0, config.cols), np.uint16),
        parameters=knots,
        results=0,
    )


def _probe(config: EngineConfig, trace: Trace, rng: np.random.Generator, number: int) -> Streams:
    shape = _SHAPES[number % len(_SHAPES)]
    width = config.precisions[number % len(config.precisions)]
    window = rng.choice([window for window in (1, 1, 2, 4) if window <= config.rows])
    function = Function(number % 3) if window == 1 else Function.RELU
    rows = max(1, int(shape.rows * config.rows) // window) * window
    cols = max(1, int(shape.cols * config.cols))
    pieces = _pieces(config, trace, width)
    if number // len(_SHAPES) % 2:
        pieces = filled(pieces)
    beats = max(1, int(shape.beats * _MOST_BEATS))
    count = max(1, CYCLES // max(beats, cols))
    is_unsigned = function is Function.RELU and width < OPERAND_BITS
    wanted = [each for each in config.narrow_precisions if rng.random() < 0.4]
    command = TileCommand(
        precision=width,
        beats=beats,
        rows=int(rows),
        cols=cols,
        unsigned=bool(pieces[0].unsigned),
        function=function,
        window=int(window),
        copies={each: RESULT_BITS + 2 - each for each in wanted},
        unsigned_copies=is_unsigned,
        copies_only=bool(wanted) and bool(rng.random() < 0.5),
    )
    tiles = [_operands(config, pieces, rng, command) for _ in range(count)]
    return Streams(
        commands=np.array([command.word(config)] * count, np.uint64),
        activations=np.concatenate([left for left, _ in tiles]),
        weights=np.concatenate([right for _, right in tiles]),
        parameters=_neurons(config, rng, command, tiles),
        results=count * cols,
    )


def _pieces(config: EngineConfig, trace: Trace, width: int) -> Sequence[Tile]:
    """The pieces of a width with activations of the commoner sign."""
    pieces = trace[width]
    common = sum(piece.unsigned for piece in pieces) * 2 > len(pieces)
    return [operands(piece, config) for piece in pieces if piece.unsigned == common]


def _operands(
    config: EngineConfig, pieces: Sequence[Tile], rng: np.random.Generator, command: TileCommand
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Operands of a tile: each row and each column has those of another piece."""
    pieces = [piece for piece in pieces if len(piece.weights) >= command.beats] or pieces
    left = np.zeros((command.beats, config.rows), np.uint16)
    right = np.zeros((command.beats, config.cols), np.uint16)
    for row, index in enumerate(rng.integers(len(pieces), size=command.rows)):
        left[:, row] = np.resize(pieces[index].activations, command.beats)
    for col, index in enumerate(rng.integers(len(pieces), size=command.cols)):
        right[:, col] = np.resize(pieces[index].weights, command.beats)
    return left, right


def _neurons(
    config: EngineConfig,
    rng: np.random.Generator,
    command: TileCommand,
    tiles: Sequence[tuple[NDArray[np.uint16], NDArray[np.uint16]]],
) -> NDArray[np.uint32]:
    """Parameters that spread the sums of each column over `RESULT_BITS`.

    A column has the same shift in all tiles, as neurons of a layer nearly have.
    """
    pairs = config.pairs(command.precision)
    left, right = (np.array(lanes).transpose(0, 2, 1) for lanes in zip(*tiles, strict=True))
    activations = unpack(left, command.precision, pairs, unsigned=command.unsigned)
    weights = unpack(right, command.precision, pairs)
    sums = activations.astype(np.float64) @ weights.astype(np.float64).transpose(0, 2, 1)
    used = sums[:, : command.rows, : command.cols]
    spread = np.maximum(np.sqrt((used**2).mean(axis=(0, 1))), 1.0)
    shift = np.clip(np.round(np.log2(spread)).astype(np.int64) - RESULT_BITS + 1, *SHIFT_RANGE)
    bias = np.round(rng.normal(0, 1 << (RESULT_BITS - 3), (len(tiles), command.cols)))
    return parameter_words(bias.astype(np.int64).ravel(), np.tile(shift, len(tiles)))
