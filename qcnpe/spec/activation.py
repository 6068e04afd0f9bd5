"""Activation functions: identity, ReLU and tables of line segments.

A table is a list of knots, one more than it has segments, at equal distances over the 16-bit
range of the pre-activation; between two knots the function is the straight line. Trainer, model
and hardware evaluate the same knots.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.fixed import quantize, round_shift

ACTIVATION_FRACTION_BITS = 15
"""Fraction bits of the value of a table: [-1, 1) in 16 bits."""


class Function(IntEnum):
    """Functions of the activation function unit (AFU); the value is the code in a command."""

    IDENTITY = 0
    RELU = 1
    TABLE = 2


@dataclass(frozen=True)
class Curve:
    """A smooth activation function that a table approximates.

    Attributes
    ----------
    value, curvature : the function and its second derivative on float64 arrays
    input_fraction_bits : fraction bits of the pre-activation, which fix the table's range
    non_negative : whether every value is >= 0, so that narrow copies may be unsigned
    """

    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    curvature: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    input_fraction_bits: int
    non_negative: bool


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def _tanh_curvature(x: NDArray[np.float64]) -> NDArray[np.float64]:
    y = np.tanh(x)
    return -2 * y * (1 - y * y)


def _sigmoid_curvature(x: NDArray[np.float64]) -> NDArray[np.float64]:
    y = _sigmoid(x)
    return y * (1 - y) * (1 - 2 * y)


CURVES = {
    "tanh": Curve(np.tanh, _tanh_curvature, input_fraction_bits=13, non_negative=False),
    "sigmoid": Curve(_sigmoid, _sigmoid_curvature, input_fraction_bits=12, non_negative=True),
}
"""The curves with a table: tanh over [-4, 4), sigmoid over [-8, 8)."""

FUNCTION_NAMES = ("identity", "relu", *CURVES)
"""Every activation function that a layer can name."""


def function_code(name: str) -> Function:
    """The code in a command for a function's name."""
    if name not in FUNCTION_NAMES:
        allowed = ", ".join(FUNCTION_NAMES)
        raise ConfigError(f"activation function must be one of {allowed}, not {name!r}")
    return Function[name.upper()] if name in ("identity", "relu") else Function.TABLE


def table_knots(name: str, segments: int) -> NDArray[np.int16]:
    """The (segments + 1) knots of a curve's table.

    With knots on the curve itself the error of a segment has one sign (at most h**2/8 times the
    curvature, where h is the segment's width); moving the knots by half of that halves the largest
    error.
    """
    curve = CURVES[name]
    span = 2.0 ** (OPERAND_BITS - curve.input_fraction_bits)
    x = np.linspace(-span / 2, span / 2, segments + 1)
    width = span / segments
    knots = curve.value(x) - width * width / 16 * curve.curvature(x)
    return quantize(knots, ACTIVATION_FRACTION_BITS, OPERAND_BITS).astype(np.int16)


def evaluate_table(pre_activation: ArrayLike, knots: ArrayLike) -> NDArray[np.int64]:
    """Value of the line segments at 16-bit pre-activations, rounded half up to an integer.

    The result lies between two 16-bit knots, so that it needs no saturation.
    """
    knots = np.asarray(knots, np.int64)
    offset_bits = OPERAND_BITS - (len(knots) - 1).bit_length() + 1
    position = np.asarray(pre_activation, np.int64) + (1 << (OPERAND_BITS - 1))
    segment = position >> offset_bits
    offset = position & ((1 << offset_bits) - 1)
    rise = knots[segment + 1] - knots[segment]
    return knots[segment] + round_shift(rise * offset, offset_bits)


def activate(
    pre_activation: ArrayLike, function: Function, knots: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Apply one of the AFU's functions to 16-bit pre-activations."""
    z = np.asarray(pre_activation, np.int64)
    if function is Function.RELU:
        return np.maximum(z, 0)
    if function is Function.TABLE:
        if knots is None:
            raise ConfigError("function TABLE needs a table: load its knots first")
        return evaluate_table(z, knots)
    return z
