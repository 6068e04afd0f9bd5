"""Integer inference of a whole `QuantNet`, layer by layer, without tiles: fast, and exact.

The integers are held in floating point, where products of matrices are fastest. Each step is exact
there, in any order: `exact_dtype` chooses the type in which every sum fits the significand.
The batch is the innermost axis, so that the operands of a neuron are gathered in long pieces.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import Function, activate
from qcnpe.spec.blocks import Block, operand_rows, width_blocks
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import FormatError
from qcnpe.spec.fixed import limits
from qcnpe.spec.graph import run_joined_graph
from qcnpe.spec.inputs import check_codes
from qcnpe.spec.qnet import QuantLayer, QuantNet

_CHUNK_SAMPLES = 128
"""Samples computed at once."""

_GATHERED_BYTES = 1 << 20
"""Gathered operands held at once: about a second-level cache."""

_Floats = NDArray[np.floating]


def infer(
    net: QuantNet,
    inputs: NDArray[np.int16],
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int16]:
    """Outputs of the last layer for a batch, as the engine computes them.

    Parameters
    ----------
    net : the network
    inputs : int16 (batch, features), see `QuantNet.quantize_inputs`
    progress : called with the number of samples finished so far

    Returns
    -------
    (batch, outputs) int16, channels outermost.

    Raises
    ------
    InputError
        If the inputs are of another type or shape.
    """
    check_codes(inputs, net.inputs, where=f"network {net.name}")
    layers = [_FloatLayer(layer) for layer in net.layers]
    reads = [net.reads(index) for index in range(len(layers))]
    results = np.empty((len(inputs), net.outputs), np.int16)
    for start in range(0, len(inputs), _CHUNK_SAMPLES):
        chunk = inputs[start : start + _CHUNK_SAMPLES]
        results[start : start + len(chunk)] = run_joined_graph(
            reads, _batch_innermost(chunk), lambda index, flat: layers[index].run(flat)
        ).T
        if progress is not None:
            progress(start + len(chunk))
    return results


def run_layer(layer: QuantLayer, values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Results (batch, channels * outputs) of one layer for its 16-bit inputs.

    Parameters
    ----------
    layer : the layer
    values : (batch, features) its flat input, see `Wiring`
    """
    return _FloatLayer(layer).run(_batch_innermost(values)).T.astype(np.int64)


def _batch_innermost(values: NDArray[np.integer]) -> _Floats:
    """(features, batch) in float32, which holds 16-bit integers exactly."""
    return np.ascontiguousarray(values.T, np.float32)


@dataclass(frozen=True, eq=False)
class _Product:
    """One block as a product of matrices.

    Attributes
    ----------
    block : which neurons
    rows : (fan_in, outputs, window) of their operands in the padded input; None in a dense layer
    weights : (channels, fan_in)
    factor, bias : (channels, 1, 1, 1) the sums are multiplied by `factor` and rounded, then `bias`
        is added
    """

    block: Block
    rows: NDArray[np.intp] | None
    weights: _Floats
    factor: _Floats
    bias: _Floats


class _FloatLayer:
    """A layer whose integers are held in floating point.

    Parameters
    ----------
    layer : in integers
    """

    def __init__(self, layer: QuantLayer) -> None:
        self._layer = layer
        self._products = [
            self._product(block, exact_dtype(layer, block.width))
            for block in width_blocks(layer.precision, layer.wiring.groups)
        ]
        self._table = None
        if layer.table is not None:
            low, high = limits(OPERAND_BITS)
            codes = np.arange(low, high + 1)
            self._table = activate(codes, layer.code, layer.table).astype(np.float32)

    def _product(self, block: Block, dtype: type[np.floating]) -> _Product:
        wiring, operands = self._layer.wiring, self._layer.widths[block.width]
        rows = None
        if not wiring.is_dense:
            shape = (wiring.fan_in, len(block.outputs), wiring.window)
            rows = operand_rows(wiring, block).reshape(shape)
        shift = operands.shift[block.channels].astype(np.float64)
        wide = (slice(None), None, None, None)
        return _Product(
            block=block,
            rows=rows,
            weights=operands.weights[block.channels].astype(dtype),
            factor=np.exp2(-shift).astype(dtype)[wide],
            bias=self._layer.bias[block.channels].astype(dtype)[wide],
        )

    def run(self, values: _Floats) -> _Floats:
        """Results (channels * outputs, batch) for inputs (features, batch), all float32."""
        wiring = self._layer.wiring
        batch = values.shape[1]
        results = np.empty((wiring.channels, wiring.outputs, batch), np.float32)
        copies: dict[int, _Floats] = {}
        for product in self._products:
            block = product.block
            if block.width not in copies:
                copies[block.width] = self._copy(values, block.width, product.weights.dtype)
            operands = copies[block.width]
            item_bytes = wiring.fan_in * wiring.window * batch * operands.itemsize
            step = max(1, _GATHERED_BYTES // max(1, item_bytes))
            for start in range(0, len(block.outputs), step):
                part = slice(start, start + step)
                found = self._finish(self._sums(product, operands, part), product)
                results[block.channels[:, None], block.outputs[part]] = found
        return results.reshape(-1, batch)

    def _copy(self, values: _Floats, width: int, dtype: np.dtype[np.floating]) -> _Floats:
        """The copy of the inputs that a width reads, then a row of zeros for padding."""
        layer = self._layer
        copy = np.zeros((len(values) + 1, values.shape[1]), dtype)
        copy[:-1] = values
        if width < OPERAND_BITS:
            low, high = limits(width, unsigned=layer.reads_unsigned(width))
            for part, shift in self._parts(width):
                _round_shifted(copy[part], np.array(2.0**-shift, dtype))
            np.clip(copy, low, high, out=copy)
        return copy

    def _parts(self, width: int) -> Iterator[tuple[slice, int]]:
        """The values of each layer in the flat input, and their shift to the copy of a width."""
        wiring, shifts = self._layer.wiring, self._layer.widths[width].input_shifts
        for source, shift in {
            source.layer: (source, shift)
            for source, shift in zip(wiring.sources, shifts, strict=True)
        }.values():
            start = wiring.layers[source.layer]
            yield slice(start, start + source.geometry.inputs), shift

    def _sums(self, product: _Product, operands: _Floats, part: slice) -> _Floats:
        """(channels, outputs, window, batch) accumulators of a part of the block's outputs."""
        if product.rows is None:
            return (product.weights @ operands[:-1])[:, None, None, :]
        rows = product.rows[:, part]
        # All indices are inside: another mode than "raise" spares a buffer.
        gathered = operands.take(rows, axis=0, mode="clip")
        sums = product.weights @ gathered.reshape(len(rows), -1)
        return sums.reshape(len(sums), *rows.shape[1:], -1)

    def _finish(self, sums: _Floats, product: _Product) -> _Floats:
        """(channels, outputs, batch) results: shift, bias, saturation, activation, pooling."""
        if self._layer.is_monotone and sums.shape[2] > 1:
            sums = sums.max(axis=2, keepdims=True)
        low, high = limits(OPERAND_BITS)
        _round_shifted(sums, product.factor)
        sums += product.bias
        if self._layer.code is Function.RELU:
            low = 0
        np.clip(sums, low, high, out=sums)
        if self._table is not None:
            sums -= low
            sums = self._table[sums.astype(np.int32)]
        return sums[:, :, 0] if sums.shape[2] == 1 else sums.max(axis=2)


def _round_shifted(values: _Floats, factor: _Floats) -> None:
    """Multiply integers by a power of two in place and round half up, see `fixed.round_shift`."""
    values *= factor
    values += values.dtype.type(0.5)
    np.floor(values, out=values)


def exact_dtype(layer: QuantLayer, width: int) -> type[np.floating]:
    """The smaller floating-point type in which all arithmetic of a width is exact.

    Every partial sum, and the complete sum with the half that rounding adds to it, must stay below
    2**24 (float32) or 2**53 (float64). The rounded value may exceed that after a shift to the left,
    but then it saturates.

    Raises
    ------
    FormatError
        If neither is exact.
    """
    half = (1 << max(0, int(layer.widths[width].shift.max()))) >> 1
    bound = layer.accumulator_bound(width)
    if bound + half < 1 << 24:
        return np.float32
    if bound + half < 1 << 53:
        return np.float64
    raise FormatError(f"layer {layer.name}: sums of {bound} are too large for exact inference")
