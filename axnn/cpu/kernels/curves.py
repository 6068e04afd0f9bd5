"""Activation functions that an ordinary processor computes fast, as clamped rational functions.

tanh(x) = x P(x**2) / Q(x**2) on [-8, 8]. P and Q have degree 4 and come from a minimax fit of the
relative error (`minimax_tanh`). Beyond +-8 the value at +-8 is taken, which is +-1 in float32 up to
the last bits. The sigmoid is (1 + tanh(x / 2)) / 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev, polynomial
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

TANH_REACH = 8.0
"""Beyond this tanh is 1 within 2.3e-7."""

TANH_NUMERATOR = (
    0.999999994,
    0.134445234,
    0.00357162781,
    2.18951376e-05,
    1.52310482e-08,
)
TANH_DENOMINATOR = (1.0, 0.467778507, 0.0261645571, 0.00034113401, 8.52271088e-07)
"""Coefficients of P and Q, the constant first."""

TANH_ERROR_ULP = 6
"""Largest error of tanh in float32 over its whole range, in units in the last place. The absolute
errors of tanh and of the sigmoid are below 4e-7."""

CODES = {"identity": 0, "relu": 1, "clamp": 2, "tanh": 3, "sigmoid": 4, "unit_clamp": 5}
"""Codes of the functions in stages: `clamp` clamps to [-1, 1], `unit_clamp` to [0, 1]."""


def evaluate(function: str, values: Float32) -> Float32:
    """The function on float32 values, in numpy."""
    if function == "identity":
        return values
    if function == "relu":
        return np.maximum(values, np.float32(0))
    if function == "clamp":
        return np.clip(values, np.float32(-1), np.float32(1))
    if function == "unit_clamp":
        return np.clip(values, np.float32(0), np.float32(1))
    if function == "sigmoid":
        half = np.float32(0.5)
        return half + half * _tanh(values * half)
    return _tanh(values)


def _tanh(values: Float32) -> Float32:
    reach = np.float32(TANH_REACH)
    x = np.clip(values, -reach, reach)
    square = x * x
    return x * _horner(TANH_NUMERATOR, square) / _horner(TANH_DENOMINATOR, square)


def _horner(coefficients: tuple[float, ...], square: Float32) -> Float32:
    total = np.full_like(square, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * square + np.float32(coefficient)
    return total


@dataclass(frozen=True)
class Rational:
    """A fit: coefficients of P and Q in powers of x**2, and the largest relative error."""

    numerator: Float64
    denominator: Float64
    error: float


def minimax_tanh(degree: int = 4, *, rounds: int = 60) -> Rational:
    """Fit tanh(x) / x by P(x**2) / Q(x**2), both of the same degree.

    Linearised least squares in rounds: each is weighted by the denominator of the round before and,
    to reduce the largest error, by its errors.

    Source: C. L. Lawson, 1961 (weights); H. L. Loeb, 1957 (linearisation).
    """
    nodes = np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)
    x = TANH_REACH * (1 - nodes) / 2
    wanted, share = np.tanh(x) / x, np.square(x / TANH_REACH)
    upper = chebyshev.chebvander(2 * share - 1, degree)
    lower = share[:, None] * chebyshev.chebvander(2 * share - 1, degree - 1)
    weight, bottom = np.ones_like(x), np.ones_like(x)
    best = Rational(np.zeros(0), np.zeros(0), np.inf)
    for _ in range(rounds):
        scale = weight / (bottom * wanted)
        system = np.hstack([upper, -wanted[:, None] * lower]) * scale[:, None]
        found = np.linalg.lstsq(system, wanted * scale, rcond=None)[0].astype(np.float64)
        bottom = 1 + lower @ found[degree + 1 :]
        error = np.abs(upper @ found[: degree + 1] / (bottom * wanted) - 1)
        if error.max() < best.error:
            best = Rational(*_powers(found, degree), float(error.max()))
        weight = weight * np.sqrt(error / error.max() + 1e-3)
        weight /= weight.mean()
    return best


def _powers(found: Float64, degree: int) -> tuple[Float64, Float64]:
    """Coefficients in powers of x**2 of a fit in Chebyshev polynomials of 2 (x / reach)**2 - 1."""

    def expand(coefficients: Float64) -> Float64:
        total = np.zeros(1)
        for coefficient in chebyshev.cheb2poly(coefficients)[::-1]:
            total = polynomial.polyadd(polynomial.polymul(total, [-1, 2]), [coefficient])
        return total

    upper = expand(found[: degree + 1])[: degree + 1]
    lower = polynomial.polyadd([1], polynomial.polymulx(expand(found[degree + 1 :])))
    powers = TANH_REACH ** (-2.0 * np.arange(degree + 1))
    return upper * powers, lower[: degree + 1] * powers
