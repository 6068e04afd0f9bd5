"""Runs a program in plain numpy where numba is absent; results agree up to rounding."""

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.kernels.curves import evaluate
from axnn.cpu.kernels.stages import (
    BYTE_LIMIT,
    BYTE_ZERO,
    WORD,
    Buffer,
    Float32,
    KernelProgram,
    Stage,
)

_BATCH = 32
"""Samples computed together: few, since the operands of all positions are gathered in memory."""


def run(program: KernelProgram, inputs: Float32) -> Float32:
    """Logits (samples, classes) of (samples, features) inputs."""
    parts = [
        _run_batch(program, inputs[start : start + _BATCH])
        for start in range(0, len(inputs), _BATCH)
    ]
    return np.concatenate([np.empty((0, len(program.logit_rows)), np.float32), *parts])


def _run_batch(program: KernelProgram, inputs: Float32) -> Float32:
    cells = [np.zeros((buffer.rows, len(inputs)), np.float32) for buffer in program.buffers]
    cells[0][program.input_rows] = inputs.T
    for stage in program.stages:
        target, channels = cells[stage.target], np.arange(len(stage.weights))
        sums = _sums(stage, cells[stage.source], program.buffers[stage.source])
        rows = stage.first + channels[:, None] + stage.results
        target[rows] = _pooled(stage, sums)
    return np.ascontiguousarray(cells[-1][program.logit_rows].T)


def _sums(stage: Stage, source: Float32, buffer: Buffer) -> Float32:
    """(channels, positions, window, samples) sums."""
    taps = stage.taps
    if stage.product_scale is not None:
        taps = (taps[:, None] + np.arange(WORD)).ravel()
    places = (stage.origins[:, None] + stage.window).ravel()
    operands = source[(taps[:, None] + places).ravel()].reshape(len(taps), -1)
    shape = (len(stage.weights), len(stage.origins), len(stage.window), source.shape[1])
    if stage.product_scale is None:
        return ((stage.weights @ operands) + stage.bias[:, None]).reshape(shape)
    # Integers below 2**53: exact in any order of addition.
    whole = stage.weights.astype(np.float64) @ (_bytes(operands, buffer.scale) - BYTE_ZERO)
    scaled = whole.astype(np.float32) * stage.product_scale[:, None] + stage.bias[:, None]
    return scaled.reshape(shape)


def _bytes(values: Float32, scale: float) -> NDArray[np.float64]:
    """Values rounded to the nearest byte, half up."""
    limit = np.float32(BYTE_LIMIT)
    cut = np.clip(values * np.float32(1 / scale), -limit, limit)
    return np.floor(cut + np.float32(BYTE_ZERO + 0.5)).astype(np.float64)


def _pooled(stage: Stage, sums: Float32) -> Float32:
    """(channels, positions, samples) results."""
    if stage.pooling == "none":
        return evaluate(stage.function, sums[:, :, 0])
    if stage.pooling == "largest":
        return evaluate(stage.function, sums.max(axis=2))
    assert stage.sum_weight is not None
    assert stage.sum_bias is not None
    totals = evaluate(stage.function, sums).sum(axis=2)
    weight, bias = stage.sum_weight[:, None, None], stage.sum_bias[:, None, None]
    return evaluate(stage.sum_function, totals * weight + bias)
