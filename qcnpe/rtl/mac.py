"""The multiplier of an NCU: the sum of the products that one lane carries in a cycle."""

from collections.abc import Iterator

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.delay import late
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

PRODUCT_BITS = 2 * OPERAND_BITS + 1
"""Bits of a sum of products: an unsigned by a signed 16-bit operand is the widest."""

MULTIPLIER_BITS = 18
"""Operand bits of an FPGA's multiplier, unless the module library says otherwise."""

_ADDER_BITS = 4
"""Fields of so few bits are multiplied by adders."""


class Mac(Component):
    """Sum of the products of two lanes.

    Combinational, but on a staged engine, where a register follows each multiplier: an FPGA's
    multipliers lie apart from its other cells.

    On `fused` a lane holds 16/p operands of p bits, p being the precision that `mode` numbers;
    product i multiplies field i of both lanes. `gated` and `plain16` multiply one pair. `dsp` gives
    the sums of `fused` with one multiplier of 16 bits, and one more of 8 bits if it has that
    precision, which an FPGA has ready made; narrower fields that they do not reach are multiplied
    by adders.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    activations, weights : a lane each
    is_unsigned : the activations are unsigned
    mode : index of the precision, on an engine that has several
    product : signed sum of products
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        ports = {
            "activations": In(OPERAND_BITS),
            "weights": In(OPERAND_BITS),
            "is_unsigned": In(1),
            "product": Out(signed(PRODUCT_BITS)),
        }
        if mode_bits(config):
            ports["mode"] = In(mode_bits(config))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """One sum a precision; `mode` chooses."""
        m = Module()
        if self.config.ncu == "dsp":
            bits = getattr(platform, "multiplier_bits", MULTIPLIER_BITS)
            self._build_on_multipliers(m, bits)
            return m
        for precision in self._cases(m):
            m.d.comb += self.product.eq(self._sum_of_products(precision))
        return m

    def _cases(self, m: Module) -> Iterator[int]:
        """Each precision, within the case of the mode that asks for it."""
        if not mode_bits(self.config):
            yield OPERAND_BITS
            return
        with m.Switch(self.mode):
            for mode, precision in enumerate(self.config.precisions):
                with m.Case(mode):
                    yield precision

    def _sum_of_products(self, precision: int) -> Value:
        lows = range(0, OPERAND_BITS, precision)
        return _tree(
            [self._activation(low, precision) * self._weight(low, precision) for low in lows]
        )

    def _activation(self, low: int, precision: int) -> Value:
        field = self.activations[low : low + precision]
        sign = field[-1] & ~self.is_unsigned
        return Cat(field, sign).as_signed()

    def _weight(self, low: int, precision: int) -> Value:
        return self.weights[low : low + precision].as_signed()

    def _build_on_multipliers(self, m: Module, multiplier_bits: int) -> None:
        """One unit for each place at which a field of the narrowest precision begins.

        A unit is as wide as the widest field that begins there. It takes a narrower one with its
        sign extended, so that its product needs no shift.
        """
        precisions = self.config.precisions
        products: dict[int, list[Value]] = {}
        for low in range(0, OPERAND_BITS, min(precisions)):
            width = max(precision for precision in precisions if low % precision == 0)
            activation, weight = self._operands(m, low, width)
            if width <= _ADDER_BITS:
                product = _product_of_adders(activation, weight)
            else:
                product = _product_of_multiplier(activation, weight, multiplier_bits)
            products.setdefault(width, []).append(product)
        sums = [self._sum_if_used(m, width, _tree(terms)) for width, terms in products.items()]
        if self.config.is_staged:
            sums = [late(m, str(number), each, reset_less=True) for number, each in enumerate(sums)]
        # The wide products come late.
        m.d.comb += self.product.eq(_tree(sorted(sums, key=len)))

    def _operands(self, m: Module, low: int, width: int) -> tuple[Value, Value]:
        """The fields at `low`: `width` bits, and one more of the activation."""
        kept = Signal(width, name=f"kept_{low}")
        signs = Signal(2, name=f"signs_{low}")
        for precision in self._cases(m):
            bits = min(precision, width)
            top = low + bits - 1
            m.d.comb += [
                kept.eq((1 << bits) - 1),
                signs.eq(Cat(self.activations[top] & ~self.is_unsigned, self.weights[top])),
            ]
        fields = []
        for operand, sign in ((self.activations, signs[0]), (self.weights, signs[1])):
            own, fill = operand[low : low + width], sign.replicate(width)
            fields.append((own & kept) | (fill & ~kept))
        return Cat(fields[0], signs[0]).as_signed(), fields[1].as_signed()

    def _sum_if_used(self, m: Module, width: int, value: Value) -> Value:
        """A sum over the units of a width, or zero at wider precisions, which do without them."""
        if width == max(self.config.precisions):
            return value
        used = Signal.like(value, name=f"sum_{width}")
        for precision in self._cases(m):
            if precision <= width:
                m.d.comb += used.eq(value)
        return used


def _product_of_multiplier(activation: Value, weight: Value, multiplier_bits: int) -> Value:
    """Product by a multiplier of signed operands of so many bits.

    For one that lacks the activation's highest bit, an unsigned activation whose next bit is set is
    2**bits less than it is.
    """
    if len(activation) <= multiplier_bits:
        return activation * weight
    bits = len(activation) - 1
    missing = Mux(activation[bits - 1] & ~activation[bits], weight, 0)
    return activation[:bits].as_signed() * weight + (missing << bits)


def _product_of_adders(activation: Value, weight: Value) -> Value:
    """One addend for each bit of the activation; the sign's counts negative."""
    addends = [Mux(bit, weight, 0) << place for place, bit in enumerate(activation)]
    return _tree(addends[:-1]) - addends[-1]


def _tree(terms: list[Value]) -> Value:
    """Sum of any number of terms, added in pairs."""
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [left + right for left, right in pairs] + odd
    return terms[0]
