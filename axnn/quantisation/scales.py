"""Scales: the powers of two by which a layer's operands and results are integers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.nn.layers import FloatArray
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.documents import Exponent
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

    def document(self) -> "ScaleDocument":
        """The scales as JSON can hold them."""
        widths = {
            width: (scale.input_fraction_bits, tuple(scale.weight_fraction_bits.tolist()))
            for width, scale in self.widths.items()
        }
        plain = {name: getattr(self, name) for name in _PLAIN_SCALES}
        return ScaleDocument(**plain, widths=widths)

    @classmethod
    def from_document(cls, document: "ScaleDocument") -> "LayerScale":
        """Inverse of `document`."""
        widths = {
            width: WidthScale(bits, np.array(weight_bits, np.int64))
            for width, (bits, weight_bits) in document.widths.items()
        }
        return cls(**{name: getattr(document, name) for name in _PLAIN_SCALES}, widths=widths)


@dataclass(frozen=True, kw_only=True)
class ScaleDocument:
    """A `LayerScale` without arrays, as files hold it; `widths` are (input, weights) by width."""

    input_fraction_bits: Exponent
    input_unsigned: bool
    fraction_bits: Exponent
    output_fraction_bits: Exponent
    widths: dict[int, tuple[Exponent, tuple[Exponent, ...]]]

    def fits(self, channels: int, widths: Collection[int]) -> bool:
        """Whether these are scales of a layer with so many channels at these widths."""
        return set(self.widths) == set(widths) and all(
            len(weight_bits) == channels for _, weight_bits in self.widths.values()
        )


_HALF = np.float32(0.5)
_PLAIN_SCALES = ("input_fraction_bits", "input_unsigned", "fraction_bits", "output_fraction_bits")


@dataclass(frozen=True, eq=False)
class Grid:
    """The numbers that a fixed-point format holds; one format, or one for each row.

    Attributes
    ----------
    per_step : float32, 2**fraction_bits
    step : float32, 2**-fraction_bits: what neighbours differ by
    low, high : float32 integers, the smallest and the largest number in steps
    """

    per_step: FloatArray
    step: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, fraction_bits: ArrayLike, low: ArrayLike, high: ArrayLike) -> "Grid":
        """From fraction bits and limits in steps, all of shapes that broadcast against values."""
        exponents = np.asarray(fraction_bits)
        return cls(
            per_step=np.exp2(exponents, dtype=np.float32),
            step=np.exp2(-exponents, dtype=np.float32),
            low=np.asarray(low, np.float32),
            high=np.asarray(high, np.float32),
        )

    @classmethod
    def of_width(cls, fraction_bits: ArrayLike, bits: int, *, unsigned: bool = False) -> "Grid":
        """Integers of `bits` bits over a power of two."""
        return cls.of(fraction_bits, *limits(bits, unsigned=unsigned))

    def round(self, values: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Values rounded half up and saturated, and where they were not saturated.

        The float32 counterpart of `qcnpe.spec.fixed.quantize`, which a test holds it to.
        """
        rounded = values * self.per_step
        rounded += _HALF
        np.floor(rounded, out=rounded)
        saturated = self._saturate(rounded)
        inside = saturated == rounded
        # By a power of two a product is as exact as a quotient, and quicker.
        saturated *= self.step
        return saturated, inside

    def _saturate(self, steps: FloatArray) -> FloatArray:
        if self.low.ndim == 0:
            return np.clip(steps, self.low, self.high)
        # np.clip is quick only where one limit holds for all: here two passes took half as long.
        saturated = np.maximum(steps, self.low)
        return np.minimum(saturated, self.high, out=saturated)
