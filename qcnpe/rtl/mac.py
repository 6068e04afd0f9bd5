"""The multiplier of an NCU: the sum of the products that one lane carries in a cycle."""

from amaranth.hdl import Cat, Module, Mux, Value, signed
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
    the sums of `fused`, but only its 16-bit product is written as a multiplication, of two signed
    operands, which is what the multipliers of an FPGA take; the narrow ones are adders.

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
        if not mode_bits(self.config):
            m.d.comb += self.product.eq(self._sum_of_products(OPERAND_BITS))
            return m
        with m.Switch(self.mode):
            for mode, precision in enumerate(self.config.precisions):
                with m.Case(mode):
                    m.d.comb += self.product.eq(self._sum_of_products(precision))
        return m

    def _sum_of_products(self, precision: int) -> Value:
        """Added as a tree, so that no sum is wider than it needs to be."""
        multiply = self._product
        if self.config.ncu == "dsp":
            narrow = precision < OPERAND_BITS
            multiply = self._product_of_adders if narrow else self._product_of_multiplier
        return _tree([multiply(low, precision) for low in range(0, OPERAND_BITS, precision)])

    def _product(self, low: int, precision: int) -> Value:
        return self._activation(low, precision) * self._weight(low, precision)

    def _product_of_adders(self, low: int, precision: int) -> Value:
        """One addend for each bit of the activation; the sign's counts negative."""
        activation, weight = self._activation(low, precision), self._weight(low, precision)
        addends = [Mux(bit, weight, 0) << place for place, bit in enumerate(activation)]
        return _tree(addends[:-1]) - addends[-1]

    def _product_of_multiplier(self, low: int, precision: int) -> Value:
        """An unsigned activation with the top bit set is 2**16 more than it is as a signed one."""
        activation, weight = self.activations.as_signed(), self.weights.as_signed()
        missing = Mux(self.is_unsigned & self.activations[-1], weight, 0)
        return activation * weight + (missing << precision)

    def _activation(self, low: int, precision: int) -> Value:
        field = self.activations[low : low + precision]
        sign = field[-1] & ~self.is_unsigned
        return Cat(field, sign).as_signed()

    def _weight(self, low: int, precision: int) -> Value:
        return self.weights[low : low + precision].as_signed()


def _tree(terms: list[Value]) -> Value:
    """Sum of any number of terms, added in pairs."""
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [left + right for left, right in pairs] + odd
    return terms[0]
