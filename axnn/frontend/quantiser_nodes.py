"""Quantisers as the nodes of a graph say them, and their results on constants."""

from dataclasses import replace

import numpy as np

from axnn.frontend.attributes import integer, word
from axnn.frontend.graph import Array, Node
from axnn.frontend.quantiser import Quantiser, round_to
from axnn.frontend.refusal import UnsupportedError

QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas")

QUANT_NAMES = tuple(
    f"{domain}.{name}" for domain in QONNX_DOMAINS for name in ("Quant", "IntQuant")
)
"""QONNX' quantisers, behind their domain."""

_TYPES = {
    "int4": (4, True), "uint4": (4, False), "int8": (8, True), "uint8": (8, False),
    "int16": (16, True), "uint16": (16, False), "int32": (32, True),
}  # fmt: skip
"""Bits and sign of the integers of ONNX' own quantisers."""


def qonnx_quantiser(
    node: Node,
    scale: Array | None = None,
    zero_point: Array | None = None,
    bits: Array | None = None,
) -> tuple[Quantiser, Array]:
    """That of a Quant of QONNX, from its constants; and its scales, one or one for each channel."""
    numbers = _numbers(scale)
    zeros, widths = _numbers(zero_point), _numbers(bits)
    for found in (zeros, widths):
        if found.size != 1 or found.reshape(-1)[0] != np.round(found.reshape(-1)[0]):
            raise UnsupportedError("its zero point and its bits must be one integer each")
    quantiser = Quantiser.of_bits(
        int(widths.reshape(-1)[0]),
        scale=float(numbers.reshape(-1)[0]),
        zero_point=int(zeros.reshape(-1)[0]),
        signed=bool(integer(node, "signed", 1)),
        narrow=bool(integer(node, "narrow", 1)),
        rounding=word(node, "rounding_mode", "ROUND"),
    )
    return quantiser, numbers


def linear_quantiser(
    node: Node, scale: Array | None = None, zero_point: Array | None = None
) -> tuple[Quantiser, Array]:
    """That of a QuantizeLinear or DequantizeLinear, as `qonnx_quantiser`."""
    if integer(node, "block_size", 0):
        raise UnsupportedError("it has scales of blocks; export scales of channels")
    numbers = _numbers(scale)
    zeros = np.zeros(1, np.uint8) if zero_point is None else zero_point
    if zeros.dtype.name not in _TYPES:
        raise UnsupportedError(f"it rounds to the type {zeros.dtype.name}, which is not read")
    offsets = zeros.astype(np.int64).reshape(-1)
    if not offsets.size or (offsets != offsets[0]).any():
        raise UnsupportedError("it has a zero point for each channel; export it with one")
    bits, signed = _TYPES[zeros.dtype.name]
    quantiser = Quantiser.of_bits(
        bits, scale=float(numbers.reshape(-1)[0]), zero_point=int(offsets[0]), signed=signed
    )
    return replace(quantiser, zero_point=0), numbers  # it is added behind the rounding


def _numbers(constant: Array | None) -> Array:
    """Constant numbers of a quantiser, of which there must be some."""
    if constant is None or constant.dtype.kind not in "fiu" or not constant.size:
        raise UnsupportedError("scale, zero point and bits must be constant numbers")
    if not np.isfinite(constant).all():
        raise UnsupportedError("scale, zero point and bits must be finite numbers")
    return constant


def fold_quant(node: Node, values: Array, *constants: Array | None) -> Array:
    """Quant of QONNX on constants: the numbers that their integers stand for."""
    quantiser, scale = qonnx_quantiser(node, *constants)
    found: Array = (round_to(values, quantiser, scale) * scale).astype(np.float32)
    return found


def fold_quantize_linear(node: Node, values: Array, *constants: Array | None) -> Array:
    """QuantizeLinear on constants: their integers."""
    quantiser, scale = linear_quantiser(node, *constants)
    zeros = np.zeros(1, np.uint8) if len(constants) < 2 or constants[1] is None else constants[1]
    integers = round_to(values, quantiser, _along(node, scale, values))
    return (integers + int(zeros.reshape(-1)[0])).astype(zeros.dtype)


def _along(node: Node, numbers: Array, values: Array) -> Array:
    """Numbers of channels in a shape that fits values; one number fits any."""
    if numbers.size == 1:
        return numbers.reshape(-1)[0]
    shape = [1] * values.ndim
    shape[integer(node, "axis", 1)] = numbers.size
    return numbers.reshape(shape)
