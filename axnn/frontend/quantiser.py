"""Quantisers of foreign files: how a value becomes an integer over a scale, and back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import frexp

import numpy as np

from axnn.frontend.graph import Array
from axnn.frontend.refusal import UnsupportedError

_MOST_BITS = 32


def _away(rounding: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The rounding of magnitudes, with the sign of the value."""

    def apply(values: Array) -> Array:
        found: Array = np.sign(values) * rounding(np.abs(values))
        return found

    return apply


_ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "ROUND": np.round,
    "HALF_UP": _away(lambda values: np.floor(values + 0.5)),
    "HALF_DOWN": _away(lambda values: np.ceil(values - 0.5)),
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "DOWN": np.fix,
    "UP": _away(np.ceil),
}
"""By QONNX' names: `ROUND` is to the nearest, halves to even; `HALF_UP` and `UP` go away from zero,
`HALF_DOWN` and `DOWN` towards it."""

_SYNONYMS = {"HALF_EVEN": "ROUND", "ROUND_TO_ZERO": "DOWN"}


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """A value is rounded to an integer multiple of a scale.

    Attributes
    ----------
    scale : what neighbours differ by
    low, high : the smallest and the largest integer; a zero point has been subtracted
    zero_point : it is added before the rounding and subtracted behind it
    rounding : one of QONNX' names
    """

    scale: float
    low: int
    high: int
    zero_point: int = 0
    rounding: str = "ROUND"

    @classmethod
    def of_bits(
        cls,
        bits: int,
        *,
        scale: float,
        zero_point: int = 0,
        signed: bool = True,
        narrow: bool = False,
        rounding: str = "ROUND",
    ) -> "Quantiser":
        """The quantiser to so many bits.

        Parameters
        ----------
        bits, signed : of the integers, with the zero point
        scale, rounding : see the attributes
        zero_point : integer that stands for 0
        narrow : whether the integer furthest from zero of the longer side is left out
        """
        if not 1 + signed <= bits <= _MOST_BITS:
            raise UnsupportedError(
                f"it rounds to {bits} bits{' with sign' * signed}, which are not read"
            )
        name = _SYNONYMS.get(rounding.upper(), rounding.upper())
        if name not in _ROUNDINGS:
            raise UnsupportedError(f"its rounding {rounding!r} is unknown")
        if not (np.isfinite(scale) and scale > 0):
            raise UnsupportedError("its scale must be a positive number")
        low = -(1 << (bits - 1)) + narrow if signed else 0
        high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
        return cls(
            scale=scale,
            low=low - zero_point,
            high=high - zero_point,
            zero_point=zero_point,
            rounding=name,
        )

    @property
    def fraction_bits(self) -> int | None:
        """The power of a half that the scale is; None if it is none."""
        mantissa, exponent = frexp(self.scale)
        return 1 - exponent if mantissa == 0.5 else None

    @property
    def unsigned(self) -> bool:
        """Whether no value is negative."""
        return self.low >= 0

    @property
    def rounds_up_from_zero(self) -> bool:
        """Whether away from zero is up for all values that are not negative."""
        return self.zero_point >= 0

    @property
    def width(self) -> int | None:
        """Bits of two's-complement or unsigned integers of just this range; None if there are none.

        A zero point other than that of an unsigned type, and a narrow range, have none.
        """
        bits = self.high.bit_length() + (not self.unsigned)
        whole = (0, (1 << bits) - 1) if self.unsigned else (-(1 << (bits - 1)), self.high)
        return bits if (self.low, self.high) == whole and self.high & (self.high + 1) == 0 else None


def round_to(values: Array, quantiser: Quantiser, scale: Array | None = None) -> Array:
    """Integers of values, less the zero point, as floating-point numbers.

    Parameters
    ----------
    values : real numbers
    quantiser : how they are rounded
    scale : in place of the quantiser's, such as one for each channel
    """
    zero = float(quantiser.zero_point)
    quotients = values / (quantiser.scale if scale is None else scale) + zero
    inside = np.clip(quotients, quantiser.low + zero, quantiser.high + zero)
    return _ROUNDINGS[quantiser.rounding](inside) - zero
