"""The engine's arithmetic by other means: big integers and fractions, one value at a time."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor


def half_up(value: Fraction) -> int:
    """The nearest integer; of two equally near ones the greater."""
    return floor(value + Fraction(1, 2))


def scaled(value: int, shift: int) -> int:
    """`value` / 2**`shift`, rounded half up; a negative shift multiplies."""
    return half_up(value / Fraction(2) ** shift)


def bounds(bits: int, *, unsigned: bool = False) -> tuple[int, int]:
    """The smallest and the largest integer of `bits` bits."""
    return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def clip(value: int, bits: int, *, unsigned: bool = False) -> int:
    """The integer of `bits` bits that is nearest to `value`."""
    low, high = bounds(bits, unsigned=unsigned)
    return min(max(value, low), high)


def wrap(value: int, bits: int) -> int:
    """`value` wrapped to a register of `bits` bits, two's complement."""
    half = 2 ** (bits - 1)
    return (value + half) % (2 * half) - half


def fields(lane: int, width: int, *, unsigned: bool = False) -> list[int]:
    """The operands in a 16-bit lane, the lowest first."""
    numbers = [lane // 2**place % 2**width for place in range(0, 16, width)]
    return numbers if unsigned else [wrap(number, width) for number in numbers]


def dot(activations: int, weights: int, width: int, *, unsigned: bool = False) -> int:
    """Sum of the products of two lanes."""
    pairs = zip(fields(activations, width, unsigned=unsigned), fields(weights, width), strict=True)
    return sum(activation * weight for activation, weight in pairs)


def on_segments(knots: Sequence[int], z: int) -> int:
    """Height of the line through the knots at `z`, rounded half up."""
    position = Fraction((z + 2**15) * (len(knots) - 1), 2**16)
    left = floor(position)
    rise = int(knots[left + 1]) - int(knots[left])
    return half_up(int(knots[left]) + rise * (position - left))


def activated(z: int, function: str, knots: Sequence[int] = ()) -> int:
    """Value of an activation function at a 16-bit pre-activation."""
    if function == "identity":
        return z
    return max(z, 0) if function == "relu" else on_segments(knots, z)


def result(total: int, *, bias: int, shift: int, function: str, knots: Sequence[int] = ()) -> int:
    """The 16-bit result of a neuron from its accumulator."""
    return activated(clip(scaled(total, shift) + bias, 16), function, knots)


def copy(value: int, shift: int, width: int, *, unsigned: bool) -> int:
    """The narrow copy of a result."""
    return clip(scaled(value, shift), width, unsigned=unsigned)
