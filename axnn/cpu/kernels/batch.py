"""The compiled kernel for batches: runs a whole program without returning to Python.

Importing this module needs numba; `axnn.cpu.kernels.plain` computes the same without it. A batch
of samples is computed `BATCH` at a time, each sample in its own lane of the vectors.

numba caches a compiled kernel by the date of the kernel's own file: delete `__pycache__` after a
change to a module that this one imports.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from axnn.cpu.kernels.elementwise import activate, largest, weighted_sum
from axnn.cpu.kernels.llvm import BATCH, LANES, pointer
from axnn.cpu.kernels.packing import LARGEST, NONE, SUM
from axnn.cpu.kernels.stages import BYTE_LIMIT, BYTE_ZERO, WORD
from axnn.cpu.kernels.vectors import MAX_ROWS, byte_tile, float_tile, round_to_words, transpose
from qcnpe.tools.trust import is_trusted

_LIMIT = np.float32(BYTE_LIMIT)
_BYTE_ZERO = np.float32(BYTE_ZERO)

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
"""Only contraction is allowed: it fuses multiplications and additions, but reorders no sum."""


def compiled(function: Callable[..., None]) -> Any:
    """Compile a kernel and cache it, unless other users can write to numba's cache folder."""
    kept = njit(cache=True, **_OPTIONS)(function)
    folder, module = Path(kept.stats.cache_path), function.__module__.rpartition(".")[2]
    files = [folder, *folder.glob(f"{module}.*.nb?")]
    return kept if all(map(is_trusted, files)) else njit(**_OPTIONS)(function)


part: Any = njit(inline="always")
"""Part of a kernel: inlined into its callers and not compiled separately, which takes longer."""


@part
def _take_inputs(inputs, features, first, last, places, cells):  # type: ignore[no-untyped-def]  # numba infers the types
    """Transpose samples into the first buffer; lanes beyond the last sample repeat it."""
    whole = features // LANES * LANES
    for lane in range(0, BATCH, LANES):
        start, left = (first + lane) * features, last - first - lane
        for feature in range(0, whole, LANES):
            source, target = pointer(inputs, start + feature), pointer(cells, lane)
            transpose(source, features, left, target, pointer(places, feature))
        for feature in range(whole, features):
            for s in range(LANES):
                value = inputs[start + min(s, left) * features + feature]
                cells[places[feature] + lane + s] = value


@part
def _pack(stage, factor, cells, words):  # type: ignore[no-untyped-def]
    """Round a buffer to bytes; a word holds four channels of a position."""
    for word in range(stage.pack_words):
        source = pointer(cells, stage.pack_source + word * (WORD * BATCH))
        target = pointer(words, stage.pack_target + word * BATCH)
        round_to_words(source, target, factor, _LIMIT, _BYTE_ZERO)


@part
def _window_sums(stage, rows, channel, place, operands, cells, words, sums):  # type: ignore[no-untyped-def]
    """The sums of one position for a block of channels; `sums` is a pointer."""
    floats, integers, places = operands
    weights, taps = stage.weights + channel * stage.taps, stage.taps
    offsets, bias = pointer(places, stage.tap_rows), pointer(floats, stage.bias + channel)
    if stage.in_bytes:
        products = (pointer(integers, weights), pointer(words, place), offsets, taps)
        line = (pointer(floats, stage.scale + channel), bias)
        byte_tile(rows, sums, pointer(integers, stage.start + channel), products, line)
    else:
        products = (pointer(floats, weights), pointer(cells, place), offsets, taps)
        float_tile(rows, sums, bias, products)


@part
def _run_block(stage, rows, channel, operands, cells, words, sums):  # type: ignore[no-untyped-def]
    """All positions of a block of channels whose sums fit the vector registers."""
    floats, places = operands[0], operands[2]
    count, window = rows * BATCH, stage.window
    for position in range(stage.positions):
        origin = stage.source + places[stage.origins + position]
        result = stage.target + channel * BATCH + places[stage.results + position]
        target, values = pointer(cells, result), pointer(sums, 0)
        for number in range(window):
            place = origin + places[stage.window_rows + number]
            into = target if stage.pooling == NONE else pointer(sums, number * count)
            _window_sums(stage, rows, channel, place, operands, cells, words, into)
        if stage.pooling == LARGEST:
            largest(rows, window, values, target)
        elif stage.pooling == SUM:
            activate(stage.function, values, count * window)
            weight, bias = stage.sum_weight + channel, stage.sum_bias + channel
            line = (pointer(floats, weight), pointer(floats, bias))
            weighted_sum(rows, window, values, line, target)
        activate(stage.result_function, target, count)


@part
def _run_stage(stage, operands, cells, words, sums):  # type: ignore[no-untyped-def]
    if stage.pack_words:
        _pack(stage, operands[0][stage.pack_scale], cells, words)
    blocks = (stage.channels + MAX_ROWS - 1) // MAX_ROWS
    channel = 0
    for block in range(blocks):
        rows = (stage.channels - channel) // (blocks - block)
        _run_block(stage, rows, channel, operands, cells, words, sums)
        channel += rows


@compiled
def run(inputs, first, count, logits, program, scratch):  # type: ignore[no-untyped-def]
    """Compute `count` samples from the first one on.

    Parameters
    ----------
    inputs : float32 (samples * features,)
    first, count : range of samples
    logits : float32 (samples, classes), written for these samples
    program : stages, operands, in_places and out_places of `axnn.cpu.kernels.packing.Packed`
    scratch : cells (float32), words (int32) and sums (float32) of the calling thread
    """
    stages, operands, in_places, out_places = program
    cells, words, sums = scratch
    features, classes = len(in_places), len(out_places)
    for start in range(first, first + count, BATCH):
        _take_inputs(inputs, features, start, first + count - 1, in_places, cells)
        for number in range(len(stages)):
            _run_stage(stages[number], operands, cells, words, sums)
        for s in range(min(first + count - start, BATCH)):
            for c in range(classes):
                logits[start + s, c] = cells[out_places[c] + s]
