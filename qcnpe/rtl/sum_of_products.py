"""The behavioural multiplier: synthesis chooses its structure."""

from amaranth.hdl import Cat, Module, Value

from qcnpe.rtl.mac import Mac, add_in_pairs
from qcnpe.spec.config import OPERAND_BITS


class SumOfProducts(Mac):
    """A product for each pair of operands, and their sum, for each precision.

    Latency: none, combinational.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    activations, weights : in, 16 bits each, see `Mac`
    is_unsigned : in, 1 bit, see `Mac`
    mode : in, `mode_bits(config)` bits, see `Mac`
    product : out, 33 bits, signed, see `Mac`
    """

    def elaborate(self, platform: object) -> Module:
        """A sum for each precision; `mode` selects one."""
        m = Module()
        for precision in self._cases(m):
            m.d.comb += self.product.eq(self._sum_of_products(precision))
        return m

    def _sum_of_products(self, precision: int) -> Value:
        lows = range(0, OPERAND_BITS, precision)
        return add_in_pairs(
            [self._activation(low, precision) * self._weight(low, precision) for low in lows]
        )

    def _activation(self, low: int, precision: int) -> Value:
        field = self.activations[low : low + precision]
        sign = field[-1] & ~self.is_unsigned
        return Cat(field, sign).as_signed()

    def _weight(self, low: int, precision: int) -> Value:
        return self.weights[low : low + precision].as_signed()
