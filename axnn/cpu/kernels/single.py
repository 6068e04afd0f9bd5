"""The compiled kernel for single samples, with channels in the lanes of the vectors.

A few samples would leave most lanes of `axnn.cpu.kernels.batch` idle. The results are the same to
the last bit. For numba's cache see there.
"""

import numpy as np

from axnn.cpu.kernels.batch import compiled, part
from axnn.cpu.kernels.elementwise import activate, largest
from axnn.cpu.kernels.lanes import (
    byte_lanes,
    float_lanes,
    round_to_bytes,
    store_lanes,
    weighted_lanes,
)
from axnn.cpu.kernels.llvm import BATCH, ENTRIES, LANES, pointer
from axnn.cpu.kernels.packing import LARGEST, SUM
from axnn.cpu.kernels.stages import BYTE_LIMIT, BYTE_ZERO, WORD

_LIMIT = np.float32(BYTE_LIMIT)
_BYTE_ZERO = np.float32(BYTE_ZERO)


@part
def _pack(stage, factor, cells, words):  # type: ignore[no-untyped-def]  # numba infers the types
    """Round a buffer to bytes."""
    for at in range(0, stage.pack_words * WORD, LANES):
        source = pointer(cells, stage.pack_source + at)
        target = pointer(words, stage.pack_target + at // WORD)
        round_to_bytes(source, target, factor, _LIMIT, _BYTE_ZERO)


@part
def _choose(stage, first, count, places, blocks, origins, results):  # type: ignore[no-untyped-def]
    """Block, origin and place of the results of ENTRIES entries.

    Entries are numbered by block and, within a block, by position. Beyond the last entry it is
    repeated.
    """
    for k in range(ENTRIES):
        entry = min(first + k, count - 1)
        block = entry // stage.positions
        position = entry - block * stage.positions
        blocks[k] = block
        origins[k] = places[stage.origins + position]
        results[k] = places[stage.results + position] + block * LANES


@part
def _window_sums(stage, place, operands, cells, words, entries, sums):  # type: ignore[no-untyped-def]
    """The sums of all entries at one position of their windows; `sums` is a pointer."""
    floats, integers, places = operands
    offsets, bias = pointer(places, stage.tap_rows), pointer(floats, stage.bias)
    if stage.in_bytes:
        products = (pointer(integers, stage.weights), pointer(words, place), offsets, stage.taps)
        line = (pointer(floats, stage.scale), bias)
        byte_lanes(sums, pointer(integers, stage.start), products, entries, line)
    else:
        products = (pointer(floats, stage.weights), pointer(cells, place), offsets, stage.taps)
        float_lanes(sums, bias, products, entries)


@part
def _run_entries(stage, operands, cells, words, sums, origins, blocks, results):  # type: ignore[no-untyped-def]
    """The results of ENTRIES entries."""
    floats, places = operands[0], operands[2]
    count, window, values = ENTRIES * LANES, stage.window, pointer(sums, 0)
    entries = (pointer(origins, 0), pointer(blocks, 0))
    for number in range(window):
        place = stage.source + places[stage.window_rows + number]
        into = pointer(sums, number * count)
        _window_sums(stage, place, operands, cells, words, entries, into)
    if stage.pooling == LARGEST:
        largest(count // BATCH, window, values, values)
    elif stage.pooling == SUM:
        activate(stage.function, values, count * window)
        line = (pointer(floats, stage.sum_weight), pointer(floats, stage.sum_bias))
        weighted_lanes(window, values, line, entries[1])
    activate(stage.result_function, values, count)
    for k in range(ENTRIES):
        target = pointer(cells, stage.target + results[k])
        store_lanes(pointer(sums, k * LANES), target, stage.channels - blocks[k] * LANES)


@compiled
def run_single(inputs, first, count, logits, program, scratch):  # type: ignore[no-untyped-def]
    """Compute `count` samples from the first one on, one after the other.

    The parameters are those of `axnn.cpu.kernels.batch.run`.
    """
    stages, operands, in_places, out_places = program
    cells, words, sums = scratch
    blocks = np.empty(ENTRIES, np.intp)
    origins = np.empty(ENTRIES, np.intp)
    results = np.empty(ENTRIES, np.intp)
    features, classes = len(in_places), len(out_places)
    for sample in range(first, first + count):
        for feature in range(features):
            cells[in_places[feature]] = inputs[sample * features + feature]
        for number in range(len(stages)):
            stage = stages[number]
            if stage.pack_words:
                _pack(stage, operands[0][stage.pack_scale], cells, words)
            entries = stage.positions * ((stage.channels + LANES - 1) // LANES)
            for start in range(0, entries, ENTRIES):
                _choose(stage, start, entries, operands[2], blocks, origins, results)
                _run_entries(stage, operands, cells, words, sums, origins, blocks, results)
        for c in range(classes):
            logits[sample, c] = cells[out_places[c]]
