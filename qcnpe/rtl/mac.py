"""The multiplier of an NCU: the sum of the products that one lane carries in a cycle."""

from amaranth.hdl import Cat, Module, Value, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

PRODUCT_BITS = 2 * OPERAND_BITS + 1
"""Bits of a sum of products: an unsigned by a signed 16-bit operand is the widest."""


class Mac(Component):
    """Sum of the products of two lanes. Combinational.

    On `fused` a lane holds 16/p operands of p bits, p being the precision that `mode` numbers;
    product i multiplies field i of both lanes. `gated` and `plain16` multiply one pair.

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
        terms: list[Value] = [
            self._activation(low, precision) * self.weights[low : low + precision].as_signed()
            for low in range(0, OPERAND_BITS, precision)
        ]
        while len(terms) > 1:
            terms = [left + right for left, right in zip(terms[::2], terms[1::2], strict=True)]
        return terms[0]

    def _activation(self, low: int, precision: int) -> Value:
        field = self.activations[low : low + precision]
        sign = field[-1] & ~self.is_unsigned
        return Cat(field, sign).as_signed()
