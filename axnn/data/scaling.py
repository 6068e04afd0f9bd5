"""Scaling: how inputs as they were measured become the numbers in [-1, 1] that a network reads.

It is learnt on the training part alone, kept with the network, and applied to all of its inputs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.inputs import check_reals

INPUT_LIMIT = 1.0
"""Largest magnitude of what a network reads."""

HEADROOM = 2.0
"""The training part is scaled to 1 / HEADROOM of the limit, since new samples may reach further.

That costs one of the sixteen bits of an exact input, and none of a narrow one, whose scale is
fitted to the distribution of its values."""

_BLOCK_VALUES = 1 << 20
"""Values scaled at once in double precision."""


@dataclass(frozen=True)
class Scaling:
    """(value - offset) / span, for each channel of a picture or column of a table.

    Attributes
    ----------
    offset, span : one number a channel; empty for inputs that are scaled already
    clamps : whether values that do not fit [-1, 1] are clamped instead of refused
    """

    offset: tuple[float, ...]
    span: tuple[float, ...]
    clamps: bool = False

    def __post_init__(self) -> None:
        if len(self.offset) != len(self.span):
            raise FormatError("a scaling needs an offset and a span for each channel")
        if not np.isfinite([*self.offset, *self.span]).all() or min(self.span, default=1) <= 0:
            raise FormatError("a scaling needs finite offsets, and spans that are positive")

    @classmethod
    def identity(cls) -> "Scaling":
        """The scaling of inputs that already lie in [-1, 1]."""
        return cls((), ())

    @property
    def is_identity(self) -> bool:
        """Whether inputs are taken as they are."""
        return not self.span

    @classmethod
    def fit(cls, inputs: ArrayLike, *, tails: float = 0.0) -> "Scaling":
        """The scaling learnt from the training part.

        A channel whose range includes zero keeps its zeros, which engines skip; others are centred.

        Parameters
        ----------
        inputs : (samples, channels, ...) integers or floating-point numbers, as measured
        tails : share of a channel's smallest, and of its largest, values that its span ignores, so
            that outliers do not cost the other values their resolution; such a scaling clamps

        Raises
        ------
        InputError
            If they have another type, are empty, or not finite.
        """
        values = _numbers(inputs)
        if values.ndim < 2 or not values.size:
            raise InputError(f"inputs must be (samples, channels, ...), not {values.shape}")
        others = (0, *range(2, values.ndim))
        low, high = (np.asarray(edge(axis=others), np.float64) for edge in (values.min, values.max))
        finite = np.isfinite(low) & np.isfinite(high)
        if not finite.all():
            raise InputError(
                f"inputs must be finite: channel {int(np.argmin(finite))} holds NaN or infinity;"
                " leave such samples out, or fill them in"
            )
        if tails:
            low, high = _without_tails(values, low, high, tails)
        offset = np.where((low <= 0) & (high >= 0), 0.0, low / 2 + high / 2)
        reach = np.maximum(high - offset, offset - low)
        # A constant channel carries no information; any positive span will do.
        reach = np.where(reach > 0, reach, np.maximum(np.abs(offset), 1.0))
        return cls(tuple(offset.tolist()), tuple((reach * HEADROOM).tolist()), tails > 0)

    def count_beyond(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        """How many values of each channel of measured inputs do not fit [-1, 1]."""
        return np.array(
            [
                np.count_nonzero(~(np.abs(inputs[:, channel] - offset) <= span * INPUT_LIMIT))
                for channel, (offset, span) in enumerate(
                    np.transpose([self.offset, self.span])  # else in the precision of the inputs
                )
            ],
            np.int64,
        )

    def apply(self, inputs: ArrayLike, *, where: str = "scaling") -> NDArray[np.float32]:
        """Measured inputs as the network reads them.

        Parameters
        ----------
        inputs : (samples, channels, ...); floating-point numbers in [-1, 1] if nothing is scaled
        where : what they belong to, for the message

        Raises
        ------
        InputError
            If type or shape differ, or a value is not finite, or so far outside the training part's
            range that it does not fit [-1, 1] and the scaling does not clamp.
        """
        if self.is_identity:
            values = np.asarray(inputs)
            check_reals(values, INPUT_LIMIT, where=where)
            return values.astype(np.float32, copy=False)
        values = _numbers(inputs)
        if values.ndim < 2 or values.shape[1] != len(self.span):
            raise InputError(
                f"{where}: inputs must be (samples, {len(self.span)}, ...), not {values.shape}"
            )
        scaled = np.empty(values.shape, np.float32)
        step = max(1, _BLOCK_VALUES * len(values) // max(1, values.size))
        for start in range(0, len(values), step):
            scaled[start : start + step] = self._scaled(values, start, step, where)
        return scaled

    def _scaled(
        self, values: NDArray[Any], start: int, count: int, where: str
    ) -> NDArray[np.float64]:
        """`count` scaled samples; `InputError` names the first value that does not fit."""
        shape = (-1, *(1,) * (values.ndim - 2))
        part = values[start : start + count]
        scaled: NDArray[np.float64] = (part - np.reshape(self.offset, shape)) / np.reshape(
            self.span, shape
        )
        if self.clamps:
            np.clip(scaled, -INPUT_LIMIT, INPUT_LIMIT, out=scaled, where=np.isfinite(part))
        fits = np.abs(scaled) <= INPUT_LIMIT
        if fits.all():
            return scaled
        index = np.unravel_index(int(np.argmin(fits)), fits.shape)
        channel = int(index[1])
        low, high = (self.offset[channel] + sign * self.span[channel] for sign in (-1, 1))
        raise InputError(
            f"{where}: sample {start + int(index[0])} holds {part[index]:g} in channel {channel},"
            f" where the training part allows {low:g} to {high:g}; correct the sample, or train"
            " with such samples"
        )


def _without_tails(
    values: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64], tails: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest value of each channel without tails; with them if these are equal."""
    inner = [
        np.quantile(values[:, channel], (tails, 1 - tails)) for channel in range(values.shape[1])
    ]
    below, above = np.asarray(inner, np.float64).T
    spread = below < above
    return np.where(spread, below, low), np.where(spread, above, high)


def _numbers(inputs: ArrayLike) -> NDArray[Any]:
    values = np.asarray(inputs)
    if values.dtype.kind not in "iuf":
        raise InputError(
            f"inputs must be integers or floating-point numbers, not {values.dtype}; give every"
            " word a number"
        )
    return values
