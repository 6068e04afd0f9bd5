"""The bit products that a neural compute unit (NCU) adds at each precision, and their signs.

A lane of activations is multiplied by a lane of weights whose fields are in reverse order
(sum-together: field f of one is multiplied by field n - 1 - f of the other). In the 16 x 16 matrix
of bit products the wanted products of all fields then lie on one block diagonal and have the same
weights, from 2**(16 - p) up: a tile's sums are shifted left by 16 - p places in the accumulator.
The other products are masked.

A product of a sign bit is negative. After Baugh and Wooley ("A two's complement parallel array
multiplication algorithm", IEEE Trans. Computers C-22, 1973) -x is written as (1 - x) - 1: the
product is inverted, and the -1 of all such products add up to a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from qcnpe.spec.config import OPERAND_BITS, EngineConfig


@dataclass(frozen=True)
class Mode:
    """An operating mode of the multiplier: operand width, and whether activations are unsigned."""

    precision: int
    unsigned: bool


@dataclass(frozen=True)
class Product:
    """One bit product.

    Attributes
    ----------
    activation, weight : bit numbers in the lanes; the weight's in the reversed lane
    wanted : for each mode whether it is added
    inverted : for each mode whether it is inverted; arbitrary where it is not wanted
    """

    activation: int
    weight: int
    wanted: tuple[bool, ...]
    inverted: tuple[bool, ...]

    @property
    def column(self) -> int:
        """Its weight, as a power of two."""
        return self.activation + self.weight

    @property
    def is_switched(self) -> bool:
        """Whether it is inverted in some of the modes in which it is wanted, but not in all."""
        pairs = zip(self.inverted, self.wanted, strict=True)
        return len({inverted for inverted, want in pairs if want}) > 1

    def agrees(self, function: tuple[bool, ...]) -> bool:
        """Whether a function of the mode inverts it correctly in all modes that want it."""
        return all(
            mine == its
            for mine, its, want in zip(self.inverted, function, self.wanted, strict=True)
            if want
        )

    def sharing(self, functions: Sequence[tuple[bool, ...]]) -> "Product":
        """The product; if it is switched, inverted by one of the given functions."""
        found = next((known for known in functions if self.agrees(known)), self.inverted)
        return replace(self, inverted=found) if self.is_switched else self


@dataclass(frozen=True)
class ProductPlan:
    """The bit products of an NCU.

    Parameters
    ----------
    precisions : operand widths that the multiplier can be split into
    bits : of a lane
    accumulator_bits : width of the sums
    """

    precisions: tuple[int, ...]
    bits: int
    accumulator_bits: int

    @classmethod
    def of(cls, config: EngineConfig) -> "ProductPlan":
        """The plan of an engine; only packed kinds split their multiplier."""
        precisions = config.precisions if config.kind.is_packed else (OPERAND_BITS,)
        return cls(precisions, OPERAND_BITS, config.accumulator_bits)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """All modes; a mode's number is 2 * index of the precision + unsigned."""
        return tuple(Mode(p, unsigned) for p in self.precisions for unsigned in (False, True))

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """Every bit product that is wanted in some mode, columns in ascending order."""
        pairs = sorted(((i, j) for i in range(self.bits) for j in range(self.bits)), key=sum)
        made = [self._product(i, j) for i, j in pairs]
        shared: list[tuple[bool, ...]] = []
        for product in sorted(made, key=lambda p: sum(p.wanted), reverse=True):
            if product.is_switched and not any(product.agrees(known) for known in shared):
                shared.append(product.inverted)
        return tuple(product.sharing(shared) for product in made if any(product.wanted))

    @property
    def constants(self) -> tuple[int, ...]:
        """Constant to add in each mode, modulo the accumulator's range."""
        return tuple(
            -sum(1 << p.column for p in self.products if p.inverted[mode])
            % (1 << self.accumulator_bits)
            for mode in range(len(self.modes))
        )

    def _product(self, i: int, j: int) -> Product:
        wanted = tuple(self._is_wanted(i, j, mode.precision) for mode in self.modes)
        negative = [_is_negative(i, j, mode) for mode in self.modes]
        needed = [inverted for inverted, want in zip(negative, wanted, strict=True) if want]
        # A masked product is constant in either polarity: choose the one that needs no switch.
        usual = all(needed) if needed else False
        inverted = tuple(
            inverted if want else usual for inverted, want in zip(negative, wanted, strict=True)
        )
        return Product(i, j, wanted, inverted)

    def _is_wanted(self, i: int, j: int, precision: int) -> bool:
        return i // precision + j // precision == self.bits // precision - 1

    def value(self, mode: int, activations: int, weights: int) -> int:
        """Value that the plan computes: inverted and masked bit products and the constant."""
        total = self.constants[mode]
        for p in self.products:
            bit = (activations >> p.activation) & (weights >> p.weight) & p.wanted[mode]
            total += (bit ^ p.inverted[mode]) << p.column
        return total % (1 << self.accumulator_bits)


def _is_negative(i: int, j: int, mode: Mode) -> bool:
    top = mode.precision - 1
    activation_sign = i % mode.precision == top and not mode.unsigned
    return activation_sign != (j % mode.precision == top)


def reverse_fields(lanes: Sequence[int], precision: int, bits: int = OPERAND_BITS) -> list[int]:
    """Lanes with their fields in reverse order, as the multiplier needs its weights."""
    mask, count = (1 << precision) - 1, bits // precision
    return [
        sum((lane >> precision * f & mask) << precision * (count - 1 - f) for f in range(count))
        for lane in lanes
    ]
