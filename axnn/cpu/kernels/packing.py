"""Packs a program into the flat arrays that the compiled kernels read."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.kernels.curves import CODES
from axnn.cpu.kernels.llvm import BATCH, ENTRIES, LANES
from axnn.cpu.kernels.stages import BYTE_ZERO, WORD, KernelProgram, Stage
from axnn.cpu.kernels.vectors import MAX_ROWS

NONE, LARGEST, SUM = range(3)
_POOLING = {"none": NONE, "largest": LARGEST, "sum": SUM}

_FIELDS = (
    "in_bytes channels taps weights start scale bias tap_rows origins positions window_rows window "
    "pooling function result_function sum_weight sum_bias source target results "
    "pack_words pack_source pack_target pack_scale"
)
_STAGE = np.dtype([(name, np.int64) for name in _FIELDS.split()])
"""A stage as the kernels read it: counts, codes, and indices of its operands in flat arrays."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A program in flat arrays.

    Attributes
    ----------
    stages : records of counts, codes and indices
    operands : float32 values, int32 values and places (int32) to which the stages' indices refer
    in_places, out_places : index of each feature and of each logit in the cells
    scratch_sizes : of `cells`, `words` and `sums`, see `axnn.cpu.kernels.batch`
    """

    stages: NDArray[Any]
    operands: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]
    in_places: NDArray[np.int32]
    out_places: NDArray[np.int32]
    scratch_sizes: tuple[int, int, int]


def pack(program: KernelProgram, samples: int) -> Packed:
    """Lay out a program for the kernel of batches or of single samples.

    Parameters
    ----------
    program : what is computed
    samples : BATCH with samples in the lanes of the vectors, 1 with channels in them
    """
    packer = _Packer(program, samples)
    records = np.zeros(len(program.stages), _STAGE)
    for record, stage in zip(records, program.stages, strict=True):
        packer.fill(record, stage)
    windows = max(len(stage.window) for stage in program.stages)
    return Packed(
        records,
        (packer.floats.array(), packer.integers.array(), packer.places.array()),
        program.input_rows * np.int32(samples),
        (packer.cells[-2] + program.logit_rows * samples).astype(np.int32),
        (
            packer.cells[-1],
            packer.cells[-1] // WORD,
            windows * (MAX_ROWS * BATCH if samples > 1 else ENTRIES * LANES),
        ),
    )


class _Pool:
    """A flat array to which values are appended."""

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
        """All values."""
        return np.concatenate(self._parts)


class _Packer:
    """Fills the records of stages and collects their operands.

    Parameters
    ----------
    program, samples : see `pack`

    Attributes
    ----------
    cells : index at which each buffer begins, and the end of the last one
    floats, integers, places : operands of the stages
    """

    def __init__(self, program: KernelProgram, samples: int) -> None:
        self.floats, self.integers = _Pool(np.float32), _Pool(np.int32)
        self.places = _Pool(np.int32)
        # Whole vectors, since bytes are rounded by the vector.
        sizes = [-(-buffer.rows * samples // LANES) * LANES for buffer in program.buffers]
        self.cells = np.cumsum([0, *sizes]).tolist()
        self._buffers = program.buffers
        self._samples = samples
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
        for name, rows in (
            ("tap_rows", stage.taps), ("origins", stage.origins), ("window_rows", stage.window)
        ):  # fmt: skip
            record[name] = self.places.add(self._rows(rows) // (WORD if in_bytes else 1))
        record["results"] = self.places.add(self._rows(stage.results))
        source = self.cells[stage.source]
        record["source"] = source // WORD if in_bytes else source
        record["target"] = self.cells[stage.target] + stage.first * self._samples
        record["taps"] = len(stage.taps)
        record["bias"] = self.floats.add(self._of_channels(stage.bias))
        if stage.sum_weight is not None and stage.sum_bias is not None:
            record["sum_weight"] = self.floats.add(self._of_channels(stage.sum_weight))
            record["sum_bias"] = self.floats.add(self._of_channels(stage.sum_bias))
        if in_bytes:
            self._fill_bytes(record, stage)
        else:
            record["weights"] = self.floats.add(self._weights(stage.weights))

    def _fill_bytes(self, record: Any, stage: Stage) -> None:
        weights = np.asarray(stage.weights, np.int8)
        words = np.ascontiguousarray(weights).view("<i4")
        start = -BYTE_ZERO * weights.sum(axis=1, dtype=np.int64)
        record["weights"] = self.integers.add(self._weights(words))
        record["start"] = self.integers.add(self._of_channels(start))
        record["scale"] = self.floats.add(self._of_channels(np.asarray(stage.product_scale)))
        if stage.source not in self._packed:
            self._packed.add(stage.source)
            buffer, source = self._buffers[stage.source], self.cells[stage.source]
            record["pack_words"] = buffer.rows // WORD
            record["pack_source"], record["pack_target"] = source, source // WORD
            record["pack_scale"] = self.floats.add([1 / buffer.scale])

    def _rows(self, rows: NDArray[np.int32]) -> NDArray[np.int64]:
        return rows.astype(np.int64) * self._samples

    def _of_channels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of the channels, padded to whole vectors if channels are in the lanes."""
        missing = -len(values) % LANES if self._samples == 1 else 0
        return np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1))

    def _weights(self, weights: NDArray[Any]) -> NDArray[Any]:
        """(channels, taps) weights in the order in which the kernel reads them."""
        if self._samples > 1:
            return _by_block(weights)
        padded = self._of_channels(weights)
        return padded.reshape(-1, LANES, weights.shape[1]).transpose(0, 2, 1)


def _by_block(weights: NDArray[Any]) -> NDArray[Any]:
    """(channels, taps) weights as the tiles read them: (taps, rows), block after block."""
    blocks = -(-len(weights) // MAX_ROWS)
    ends = [0]
    for block in range(blocks):
        ends.append(ends[-1] + (len(weights) - ends[-1]) // (blocks - block))
    return np.concatenate([weights[a:b].T.ravel() for a, b in pairwise(ends)])
