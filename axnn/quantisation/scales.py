"""Scales: the powers of two by which a layer's operands and results are integers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.nn.layers import FloatArray
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.documents import Exponent
from qcnpe.spec.fixed import limits
from qcnpe.spec.geometry import Wiring


@dataclass(frozen=True)
class ValueScale:
    """Scales of the 16-bit results of a layer, or of the network's input, and of their copies.

    Attributes
    ----------
    fraction_bits : of the 16-bit values
    unsigned : whether the narrow copies are unsigned
    narrow : fraction bits of the copy of each width; those of 16 bits are `fraction_bits`
    """

    fraction_bits: Exponent
    unsigned: bool
    narrow: Mapping[int, Exponent]

    def reads_unsigned(self, width: int) -> bool:
        """Whether neurons of this width read unsigned operands."""
        return self.unsigned and width < OPERAND_BITS


@dataclass(frozen=True, eq=False)
class SourceScale:
    """Scales of what a layer reads from one source.

    Attributes
    ----------
    value : of what it reads
    weights : int64 (channels,) fraction bits of each neuron's weights for this source, by width
    """

    value: ValueScale
    weights: Mapping[int, NDArray[np.int64]]


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerScale:
    """Scales of one layer.

    Attributes
    ----------
    values : of what each source reads
    products : int64 (channels,) fraction bits of each neuron's products and of their sum, by width
    fraction_bits : of pre-activation and bias
    output_fraction_bits : of the 16-bit results
    """

    values: tuple[ValueScale, ...]
    products: Mapping[int, NDArray[np.int64]]
    fraction_bits: int
    output_fraction_bits: int

    @property
    def sources(self) -> tuple[SourceScale, ...]:
        """The scales of each source alone: all products of a neuron have the same fraction bits."""
        return tuple(
            SourceScale(
                value, {width: bits - value.narrow[width] for width, bits in self.products.items()}
            )
            for value in self.values
        )

    def document(self) -> "ScaleDocument":
        """The scales as JSON can hold them."""
        return ScaleDocument(
            values=self.values,
            products={width: tuple(bits.tolist()) for width, bits in self.products.items()},
            fraction_bits=self.fraction_bits,
            output_fraction_bits=self.output_fraction_bits,
        )

    @classmethod
    def from_document(cls, document: "ScaleDocument") -> "LayerScale":
        """Inverse of `document`."""
        return cls(
            values=document.values,
            products={width: np.array(bits, np.int64) for width, bits in document.products.items()},
            fraction_bits=document.fraction_bits,
            output_fraction_bits=document.output_fraction_bits,
        )


@dataclass(frozen=True, kw_only=True)
class ScaleDocument:
    """A `LayerScale` without arrays, as files hold it."""

    values: tuple[ValueScale, ...]
    products: dict[int, tuple[Exponent, ...]]
    fraction_bits: Exponent
    output_fraction_bits: Exponent

    def fits(self, wiring: Wiring, widths: Collection[int]) -> bool:
        """Whether these are scales of a layer that reads so, at these widths."""
        return (
            len(self.values) == len(wiring.sources)
            and all(set(value.narrow) == set(widths) for value in self.values)
            and set(self.products) == set(widths)
            and all(len(bits) == wiring.channels for bits in self.products.values())
        )


_HALF = np.float32(0.5)


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
