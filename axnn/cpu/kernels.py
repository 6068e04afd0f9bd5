"""The compiled kernels: a whole program for a batch, without returning to Python.

Importing this module needs numba; `axnn.cpu.plain` computes the same without it. A batch of samples
is computed `BATCH` at a time, each sample in its own lane of the vectors.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from axnn.cpu.curves import CODES
from axnn.cpu.elementwise import activate, largest, weighted_sum
from axnn.cpu.llvm import BATCH, LANES
from axnn.cpu.stages import BYTE_LIMIT, BYTE_ZERO, WORD, Buffer, Program, Stage
from axnn.cpu.vectors import MAX_ROWS, byte_tile, float_tile, round_to_words, transpose

_NONE, _LARGEST, _SUM = range(3)
_POOLING = {"none": _NONE, "largest": _LARGEST, "sum": _SUM}

_LIMIT = np.float32(BYTE_LIMIT)
_BYTE_ZERO = np.float32(BYTE_ZERO)

_compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
# Contraction alone is allowed: it makes one rounding of two, and leaves the order of sums.

_part = njit(inline="always")
"""Part of `run`: compiled where it is called, not for itself as well, which takes twice as long."""

_FIELDS = (
    "in_bytes channels taps weights start scale bias tap_rows origins positions window_rows window "
    "pooling function result_function sum_weight sum_bias source target results "
    "pack_words pack_source pack_target pack_scale"
)
_STAGE = np.dtype([(name, np.int64) for name in _FIELDS.split()])
"""A stage as the kernels read it: counts, codes, and indices of its operands in flat arrays."""


@_part
def _take_inputs(inputs, features, first, last, places, cells):  # type: ignore[no-untyped-def]  # numba infers the types
    """Transpose samples into the first buffer; the lanes of samples that lack repeat the last."""
    whole = features // LANES * LANES
    for lane in range(0, BATCH, LANES):
        start, left = (first + lane) * features, last - first - lane
        for feature in range(0, whole, LANES):
            transpose(inputs, start + feature, features, left, cells, lane, places, feature)
        for feature in range(whole, features):
            for s in range(LANES):
                value = inputs[start + min(s, left) * features + feature]
                cells[places[feature] + lane + s] = value


@_part
def _pack(stage, floats, cells, words):  # type: ignore[no-untyped-def]
    """Round a buffer to bytes, four of a position to a word."""
    factor = floats[stage.pack_scale]
    for word in range(stage.pack_words):
        source = stage.pack_source + word * (WORD * BATCH)
        target = stage.pack_target + word * BATCH
        round_to_words(cells, source, words, target, factor, _LIMIT, _BYTE_ZERO)


@_part
def _window_sums(stage, rows, channel, place, operands, cells, words, into, at):  # type: ignore[no-untyped-def]
    """The sums of one position for a block of channels, into into[at:]."""
    floats, integers, places = operands
    weights, bias = stage.weights + channel * stage.taps, stage.bias + channel
    start, taps_at, taps = stage.start + channel, stage.tap_rows, stage.taps
    if stage.in_bytes:
        scale = stage.scale + channel
        byte_tile(
            rows, into, at, integers, start, integers, weights, words, place, places, taps_at,
            floats, scale, floats, bias, taps,
        )  # fmt: skip
    else:
        float_tile(
            rows, into, at, floats, bias, floats, weights, cells, place, places, taps_at, taps
        )


@_part
def _run_block(stage, rows, channel, operands, cells, words, sums):  # type: ignore[no-untyped-def]
    """All positions of a block of channels that fits the vector registers."""
    floats, _, places = operands
    count, window = rows * BATCH, stage.window
    for position in range(stage.positions):
        origin = stage.source + places[stage.origins + position]
        target = stage.target + channel * BATCH + places[stage.results + position]
        for number in range(window):
            place = origin + places[stage.window_rows + number]
            into, at = (cells, target) if stage.pooling == _NONE else (sums, number * count)
            _window_sums(stage, rows, channel, place, operands, cells, words, into, at)
        if stage.pooling == _LARGEST:
            largest(rows, window, sums, 0, cells, target)
        elif stage.pooling == _SUM:
            activate(stage.function, sums, 0, count * window)
            weight, bias = stage.sum_weight + channel, stage.sum_bias + channel
            weighted_sum(rows, window, sums, 0, floats, weight, floats, bias, cells, target)
        activate(stage.result_function, cells, target, count)


@_part
def _run_stage(stage, operands, cells, words, sums):  # type: ignore[no-untyped-def]
    if stage.pack_words:
        _pack(stage, operands[0], cells, words)
    blocks = (stage.channels + MAX_ROWS - 1) // MAX_ROWS
    channel = 0
    for block in range(blocks):
        rows = (stage.channels - channel) // (blocks - block)
        _run_block(stage, rows, channel, operands, cells, words, sums)
        channel += rows


@_compiled
def run(inputs, first, count, logits, stages, operands, in_places, out_places, cells, words, sums):  # type: ignore[no-untyped-def]
    """Compute `count` samples from the first one on.

    Parameters
    ----------
    inputs : float32 (samples * features,)
    first, count : which samples
    logits : float32 (samples, classes), filled for these samples
    stages : records of `_STAGE`
    operands : float32, int32 and places (int32) that the stages name
    in_places, out_places : where each feature and each logit lies in the cells
    cells, words, sums : scratch, float32, int32 and float32; a thread's own
    """
    features, classes = len(in_places), len(out_places)
    for start in range(first, first + count, BATCH):
        _take_inputs(inputs, features, start, first + count - 1, in_places, cells)
        for number in range(len(stages)):
            _run_stage(stages[number], operands, cells, words, sums)
        for s in range(min(first + count - start, BATCH)):
            for c in range(classes):
                logits[start + s, c] = cells[out_places[c] + s]


@dataclass(frozen=True, eq=False)
class Packed:
    """A program in the flat arrays that `run` reads.

    Attributes
    ----------
    stages, operands, in_places, out_places : see `run`
    scratch_sizes : of `cells`, `words` and `sums`
    """

    stages: NDArray[Any]
    operands: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]
    in_places: NDArray[np.int32]
    out_places: NDArray[np.int32]
    scratch_sizes: tuple[int, int, int]


def pack(program: Program) -> Packed:
    """Lay a program out for `run`."""
    packer = _Packer(program.buffers)
    records = np.zeros(len(program.stages), _STAGE)
    for record, stage in zip(records, program.stages, strict=True):
        packer.fill(record, stage)
    last = packer.cells[-1]
    return Packed(
        records,
        (packer.floats.array(), packer.integers.array(), packer.places.array()),
        program.input_rows * np.int32(BATCH),
        (last + program.logit_rows * BATCH).astype(np.int32),
        (
            last + program.buffers[-1].rows * BATCH,
            packer.words[-1] + program.buffers[-1].rows * BATCH // WORD,
            max(len(stage.window) for stage in program.stages) * MAX_ROWS * BATCH,
        ),
    )


class _Pool:
    """Arrays one after the other."""

    def __init__(self, kind: type[np.float32 | np.int32]) -> None:
        self._kind = kind
        self._parts: list[NDArray[Any]] = [np.zeros(0, kind)]
        self._count = 0

    def add(self, values: Any) -> int:
        """Append values; returns the index of the first."""
        part = np.asarray(values, self._kind).ravel()
        self._parts.append(part)
        self._count += len(part)
        return self._count - len(part)

    def array(self) -> NDArray[Any]:
        """All of them."""
        return np.concatenate(self._parts)


class _Packer:
    """Fills the records of stages and collects what they point to."""

    def __init__(self, buffers: tuple[Buffer, ...]) -> None:
        self.floats, self.integers, self.places = (
            _Pool(np.float32),
            _Pool(np.int32),
            _Pool(np.int32),
        )
        sizes = [buffer.rows * BATCH for buffer in buffers]
        self.cells = np.cumsum([0, *sizes[:-1]]).tolist()
        self.words = [at // WORD + number for number, at in enumerate(self.cells)]
        self._buffers = buffers
        self._packed: set[int] = set()

    def fill(self, record: Any, stage: Stage) -> None:
        """Set a stage's record."""
        in_bytes = stage.product_scale is not None
        record["in_bytes"] = in_bytes
        record["channels"], record["positions"] = len(stage.weights), len(stage.origins)
        record["window"], record["pooling"] = len(stage.window), _POOLING[stage.pooling]
        record["function"] = CODES[stage.function]
        last = stage.sum_function if stage.pooling == "sum" else stage.function
        record["result_function"] = CODES[last]
        unit = BATCH // WORD if in_bytes else BATCH
        for name, rows in (
            ("tap_rows", stage.taps), ("origins", stage.origins), ("window_rows", stage.window)
        ):  # fmt: skip
            record[name] = self.places.add(rows.astype(np.int64) * unit)
        record["results"] = self.places.add(stage.results.astype(np.int64) * BATCH)
        record["source"] = (self.words if in_bytes else self.cells)[stage.source]
        record["target"] = self.cells[stage.target] + stage.first * BATCH
        record["taps"] = len(stage.taps)
        record["bias"] = self.floats.add(stage.bias)
        if stage.sum_weight is not None:
            record["sum_weight"] = self.floats.add(stage.sum_weight)
            record["sum_bias"] = self.floats.add(stage.sum_bias)
        if in_bytes:
            self._fill_bytes(record, stage)
        else:
            record["weights"] = self.floats.add(_by_block(stage.weights))

    def _fill_bytes(self, record: Any, stage: Stage) -> None:
        weights = np.asarray(stage.weights, np.int8)
        words = np.ascontiguousarray(weights).view("<i4")
        record["weights"] = self.integers.add(_by_block(words))
        record["start"] = self.integers.add(-BYTE_ZERO * weights.sum(axis=1, dtype=np.int64))
        record["scale"] = self.floats.add(stage.product_scale)
        if stage.source not in self._packed:
            self._packed.add(stage.source)
            buffer = self._buffers[stage.source]
            record["pack_words"] = buffer.rows // WORD
            record["pack_source"] = self.cells[stage.source]
            record["pack_target"] = self.words[stage.source]
            record["pack_scale"] = self.floats.add([1 / buffer.scale])


def _by_block(weights: NDArray[Any]) -> NDArray[Any]:
    """(channels, taps) weights as the tiles read them: (taps, rows), block after block."""
    blocks = -(-len(weights) // MAX_ROWS)
    ends = [0]
    for block in range(blocks):
        ends.append(ends[-1] + (len(weights) - ends[-1]) // (blocks - block))
    return np.concatenate([weights[a:b].T.ravel() for a, b in pairwise(ends)])
