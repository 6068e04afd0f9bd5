"""Integer inference of a whole `QuantNet`, layer by layer, without tiles: fast, and exact."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import activate
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import FormatError
from qcnpe.spec.fixed import narrow, round_shift, saturate
from qcnpe.spec.qnet import QuantLayer, QuantNet

_CHUNK_OPERANDS = 1 << 24
"""Gathered operands held at once; bounds the memory at about 128 MiB."""


def infer(
    net: QuantNet,
    inputs: NDArray[np.integer],
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int16]:
    """Outputs of the last layer for a batch, as the engine computes them.

    Parameters
    ----------
    net : the network
    inputs : (batch, features) 16-bit integers, see `QuantNet.quantize_inputs`
    progress : called with the number of samples finished so far

    Returns
    -------
    (batch, outputs) int16, channels outermost.
    """
    features = net.layers[0].geometry.inputs
    if inputs.ndim != 2 or inputs.shape[1] != features:
        raise FormatError(
            f"network {net.name} reads (batch, {features}) inputs, not {inputs.shape}"
        )
    largest = max(layer.geometry.gather.size for layer in net.layers)
    chunk = max(1, _CHUNK_OPERANDS // largest)
    results = []
    for start in range(0, len(inputs), chunk):
        values = inputs[start : start + chunk].astype(np.int64)
        for layer in net.layers:
            values = run_layer(layer, values)
        results.append(values.astype(np.int16))
        if progress is not None:
            progress(min(start + chunk, len(inputs)))
    outputs = int(np.prod(net.layers[-1].geometry.output_shape))
    return np.concatenate(results) if results else np.zeros((0, outputs), np.int16)


def run_layer(layer: QuantLayer, values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Results (batch, channels * outputs) of one layer for its 16-bit inputs (batch, features)."""
    geometry = layer.geometry
    results = np.zeros((len(values), geometry.channels, geometry.outputs), np.int64)
    per_group = geometry.channels // geometry.groups
    for width in sorted(layer.widths):
        used = layer.precision == width
        if not used.any():
            continue
        operands = _operands(layer, values, width)
        for group in range(geometry.groups):
            members = np.arange(group * per_group, (group + 1) * per_group)
            channels = members[used[members].any(axis=1)]
            places = np.flatnonzero(used[members].any(axis=0))
            if not len(channels):
                continue
            sums = _accumulate(layer, operands, width, channels, geometry.gather[group, places])
            found = _finish(layer, sums, width, channels)
            block = np.ix_(np.arange(len(values)), channels, places)
            mask = used[np.ix_(channels, places)]
            results[block] = np.where(mask, found, results[block])
    return results.reshape(len(values), -1)


def _operands(layer: QuantLayer, values: NDArray[np.integer], width: int) -> NDArray[np.floating]:
    """This width's copy of the input, with a zero appended for padding, in the BLAS dtype.

    Sums of integer products are exact in floating point, in any order, while every partial sum
    stays below 2**24 (float32) or 2**53 (float64); the accumulator bound proves that.
    """
    if width < OPERAND_BITS:
        shift = layer.widths[width].input_shift
        values = narrow(values, shift, width, unsigned=layer.reads_unsigned(width))
    bound = layer.accumulator_bound(width)
    if bound >= 1 << 53:
        raise FormatError(f"layer {layer.name}: sums of {bound} are too large for exact inference")
    dtype = np.float32 if bound < 1 << 24 else np.float64
    padding = np.zeros((len(values), 1), dtype)
    return np.concatenate([values.astype(dtype), padding], axis=1)


def _accumulate(
    layer: QuantLayer,
    operands: NDArray[np.floating],
    width: int,
    channels: NDArray[np.integer],
    gather: NDArray[np.int32],
) -> NDArray[np.int64]:
    """(batch, places, window, channels) accumulators."""
    weights = layer.widths[width].weights[channels].astype(operands.dtype)
    columns = operands[:, None, None, :-1] if layer.geometry.is_dense else operands[:, gather]
    flat = columns.reshape(-1, columns.shape[-1]) @ weights.T
    return flat.astype(np.int64).reshape(*columns.shape[:-1], len(channels))


def _finish(
    layer: QuantLayer, sums: NDArray[np.int64], width: int, channels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """(batch, channels, places) results: shift, bias, saturation, activation, pooling."""
    shifted = round_shift(sums, layer.widths[width].shift[channels])
    pre_activation = saturate(shifted + layer.bias[channels], OPERAND_BITS)
    values = activate(pre_activation, layer.code, layer.table)
    return values.max(axis=2).transpose(0, 2, 1)
