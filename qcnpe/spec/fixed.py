"""Fixed-point arithmetic: rounding, saturation and sub-word packing, written once.

All functions are exact on integers that int64 holds. Rounding is half up: floor(x + 1/2).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import FormatError

IntArray = NDArray[np.integer]


def limits(bits: int, *, unsigned: bool = False) -> tuple[int, int]:
    """Smallest and largest integer of `bits` bits, two's complement or `unsigned`."""
    if unsigned:
        return 0, (1 << bits) - 1
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def saturate(values: ArrayLike, bits: int, *, unsigned: bool = False) -> NDArray[np.int64]:
    """Clip integers to the range of `bits` bits."""
    low, high = limits(bits, unsigned=unsigned)
    return np.clip(np.asarray(values, np.int64), low, high)


def round_shift(values: ArrayLike, shift: ArrayLike) -> NDArray[np.int64]:
    """Divide integers by 2**shift, rounding half up; a negative shift multiplies.

    `shift` broadcasts against `values`. Neither the sum with the half nor the product of a
    negative shift may leave 63 bits; the engine's widths (48-bit accumulator, 16 places) do not.
    """
    values = np.asarray(values, np.int64)
    shift = np.asarray(shift, np.int64)
    right = np.maximum(shift, 0)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    return ((values + half) >> right) << np.maximum(-shift, 0)


def quantize(reals: ArrayLike, fraction_bits: ArrayLike, bits: int) -> NDArray[np.int64]:
    """Real numbers to `bits`-bit integers of weight 2**-fraction_bits, half up, saturated.

    `FormatError` if one is not a number.
    """
    scaled = np.asarray(reals, np.float64) * np.exp2(np.asarray(fraction_bits, np.float64))
    if np.isnan(scaled).any():
        raise FormatError("cannot quantise NaN; correct the data or the training")
    low, high = limits(bits)
    scaled = np.clip(scaled, low, high)
    whole = np.floor(scaled)
    # Adding a half first would round the number just below it up.
    return (whole + (scaled - whole >= 0.5)).astype(np.int64)


def narrow(values: ArrayLike, shift: int, bits: int, *, unsigned: bool = False) -> IntArray:
    """The narrow copy of 16-bit results that a layer of lower precision reads."""
    return saturate(round_shift(values, shift), bits, unsigned=unsigned)


def pack(values: ArrayLike, precision: int, pairs: int) -> NDArray[np.uint16]:
    """Pack operands along the last axis into 16-bit lanes, the first operand lowest.

    Parameters
    ----------
    values : (..., fan_in) integers of `precision` bits, signed or unsigned
    precision : operand width in bits
    pairs : operands in one lane; with one (`gated`) the operand takes the lane's top bits

    Returns
    -------
    (..., ceil(fan_in / pairs)) uint16; missing operands are zero.
    """
    values = np.asarray(values)
    if pairs == 1:
        return (values.astype(np.int64) << (OPERAND_BITS - precision)).astype(np.uint16)
    beats = -(-values.shape[-1] // pairs)
    padded = np.zeros((*values.shape[:-1], beats * pairs), np.uint16)
    padded[..., : values.shape[-1]] = values.astype(np.int64) & ((1 << precision) - 1)
    fields = padded.reshape(*values.shape[:-1], beats, pairs)
    places = (np.arange(pairs) * precision).astype(np.uint16)
    return np.bitwise_or.reduce(fields << places, axis=-1)


def unpack(
    lanes: ArrayLike, precision: int, pairs: int, *, unsigned: bool = False
) -> NDArray[np.int64]:
    """Inverse of `pack`: (..., beats) lanes to (..., beats * pairs) operands of the engine.

    With one pair a lane the operand keeps its place at the top of the lane.
    """
    lanes = np.asarray(lanes, np.int64) & 0xFFFF
    width = OPERAND_BITS // pairs
    fields = (lanes[..., None] >> (np.arange(pairs) * width)) & ((1 << width) - 1)
    if not unsigned:
        fields = fields - ((fields >> (width - 1)) << width)
    if pairs == 1:
        dropped = OPERAND_BITS - precision
        fields = (fields >> dropped) << dropped
    return fields.reshape(*lanes.shape[:-1], lanes.shape[-1] * pairs)
