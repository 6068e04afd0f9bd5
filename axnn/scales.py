"""Scales: the powers of two by which a layer's operands and results are integers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.layers import FloatArray
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.fixed import limits


@dataclass(frozen=True, eq=False)
class WidthScale:
    """Scales of one layer's operands at one width.

    Attributes
    ----------
    input_fraction_bits : of the copy of the input that neurons of this width read
    weight_fraction_bits : int64 (channels,), of each neuron's weights
    """

    input_fraction_bits: int
    weight_fraction_bits: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerScale:
    """Scales of one layer.

    Attributes
    ----------
    input_fraction_bits : of the 16-bit input
    input_unsigned : whether the narrow copies of the input are unsigned
    fraction_bits : of pre-activation and bias
    output_fraction_bits : of the 16-bit results
    widths : scales by width
    """

    input_fraction_bits: int
    input_unsigned: bool
    fraction_bits: int
    output_fraction_bits: int
    widths: Mapping[int, WidthScale]

    def reads_unsigned(self, width: int) -> bool:
        """Whether neurons of this width read unsigned operands."""
        return self.input_unsigned and width < OPERAND_BITS

    def document(self) -> dict[str, Any]:
        """The scales as JSON can hold them."""
        widths = {
            str(width): [scale.input_fraction_bits, scale.weight_fraction_bits.tolist()]
            for width, scale in self.widths.items()
        }
        return {**{name: getattr(self, name) for name in _PLAIN_SCALES}, "widths": widths}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "LayerScale":
        """Inverse of `document`."""
        widths = {
            int(width): WidthScale(int(bits), np.array(weight_bits, np.int64))
            for width, (bits, weight_bits) in document["widths"].items()
        }
        return cls(**{name: document[name] for name in _PLAIN_SCALES}, widths=widths)


_PLAIN_SCALES = ("input_fraction_bits", "input_unsigned", "fraction_bits", "output_fraction_bits")


def fake_quantize(
    values: FloatArray, fraction_bits: ArrayLike, bits: int, *, unsigned: bool = False
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Values rounded half up and saturated, as floats, and where they were not saturated.

    The float32 counterpart of `qcnpe.spec.fixed.quantize`, which a test holds it to.
    """
    low, high = limits(bits, unsigned=unsigned)
    return round_to_grid(values, np.asarray(fraction_bits), np.float32(low), np.float32(high))


def round_to_grid(
    values: FloatArray, fraction_bits: NDArray[np.integer], low: Any, high: Any
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """`fake_quantize` with limits of its own for each value.

    Parameters
    ----------
    values : float32
    fraction_bits, low, high : broadcast against the values; the limits are integers in float32
    """
    rounded = values * np.exp2(fraction_bits, dtype=np.float32)
    rounded += np.float32(0.5)
    np.floor(rounded, out=rounded)
    saturated = np.clip(rounded, low, high)
    inside = saturated == rounded
    # By a power of two a product is as exact as a quotient, and quicker.
    saturated *= np.exp2(-fraction_bits, dtype=np.float32)
    return saturated, inside
