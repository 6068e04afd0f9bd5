"""The multiplier of an NCU: the sum of the products that one lane carries in a cycle."""

from collections.abc import Iterator

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

PRODUCT_BITS = 2 * OPERAND_BITS + 1
"""Bits of a sum of products: an unsigned by a signed 16-bit operand is the widest."""


class Mac(Component):
    """Sum of the products of two lanes. Combinational.

    On `fused` a lane holds 16/p operands of p bits, p being the precision that `mode` numbers;
    product i multiplies field i of both lanes. `gated` and `plain16` multiply one pair. `dsp` gives
    the sums of `fused` with one multiplier of 16 bits, or one more of 8 bits if it has that
    precision, which an FPGA has ready made; what they do not give is done by adders.

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
            self._build_on_multipliers(m)
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

    def _build_on_multipliers(self, m: Module) -> None:
        """With all below its top field masked, a multiplier gives that field's product.

        One multiplies the lanes, another one their low halves if 8 bits are among the precisions.
        The fields that neither of them has are multiplied by adders.
        """
        whole, half = Signal(signed(PRODUCT_BITS)), Signal(signed(PRODUCT_BITS))
        rest = Signal(signed(PRODUCT_BITS))
        halves = OPERAND_BITS // 2 in self.config.precisions
        tops = {OPERAND_BITS: self._product_of_tops(m, OPERAND_BITS)}
        if halves:
            tops[OPERAND_BITS // 2] = self._product_of_tops(m, OPERAND_BITS // 2)
        for precision in self._cases(m):
            lows = set(range(0, OPERAND_BITS, precision))
            for width, sink in ((OPERAND_BITS, whole), (OPERAND_BITS // 2, half)):
                if width in tops and width >= precision:
                    m.d.comb += sink.eq(tops[width] >> 2 * (width - precision))
                    lows.discard(width - precision)
            if lows:
                terms = [self._product_of_adders(low, precision) for low in sorted(lows)]
                m.d.comb += rest.eq(_tree(terms))
        m.d.comb += self.product.eq(whole + half + rest)

    def _product_of_tops(self, m: Module, width: int) -> Signal:
        """Product of the top fields of the lanes' lowest bits, at the place that they have there.

        Of two signed operands, which is what an FPGA multiplies: an unsigned activation with the
        top bit set is 2**width more than it is as a signed one.
        """
        kept = Signal(width, name=f"kept_{width}")
        for precision in self._cases(m):
            top = min(precision, width)
            m.d.comb += kept.eq(((1 << top) - 1) << (width - top))
        activation = (self.activations[:width] & kept).as_signed()
        weight = (self.weights[:width] & kept).as_signed()
        missing = Mux(self.is_unsigned & activation[-1], weight, 0)
        product = Signal(signed(PRODUCT_BITS), name=f"product_{width}")
        m.d.comb += product.eq(activation * weight + (missing << width))
        return product

    def _product_of_adders(self, low: int, precision: int) -> Value:
        """One addend for each bit of the activation; the sign's counts negative."""
        activation, weight = self._activation(low, precision), self._weight(low, precision)
        addends = [Mux(bit, weight, 0) << place for place, bit in enumerate(activation)]
        return _tree(addends[:-1]) - addends[-1]


def _tree(terms: list[Value]) -> Value:
    """Sum of any number of terms, added in pairs."""
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [left + right for left, right in pairs] + odd
    return terms[0]
