"""The multiplier for FPGAs: a few wide hard multipliers serve all precisions."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.delay import delayed
from qcnpe.rtl.mac import Mac, add_in_pairs
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError

MULTIPLIER_BITS = 18
"""Operand bits of an FPGA's multiplier, unless the module library says otherwise."""

_ADDER_BITS = 4
"""Fields of at most so many bits are multiplied by adders."""


class SharedMultipliers(Mac):
    """The sums of `SumOfProducts` with one multiplier of 16 bits and at most one of 8.

    The second one is there if the engine has that precision. An FPGA has both as hard blocks;
    narrower fields that they do not cover are multiplied by adders.

    Latency: none, combinational; one cycle on a staged engine, where a register follows each
    multiplier, since an FPGA's multipliers are far from its other cells.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    activations, weights : in, 16 bits each, see `Mac`
    is_unsigned : in, 1 bit, see `Mac`
    mode : in, `mode_bits(config)` bits, see `Mac`
    product : out, 33 bits, signed, see `Mac`

    Raises
    ------
    ConfigError
        If the engine's kind does not pack its lanes: fields must fit into one another.
    """

    def __init__(self, config: EngineConfig) -> None:
        if not config.kind.is_packed:
            raise ConfigError(
                f"ncu {config.ncu} must be packed for shared multipliers; use SumOfProducts"
            )
        super().__init__(config)

    def elaborate(self, platform: object) -> Module:
        """Multipliers of the width that the platform gives for the FPGA."""
        m = Module()
        self._build_on_multipliers(m, getattr(platform, "multiplier_bits", MULTIPLIER_BITS))
        return m

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
        sums = [
            self._sum_if_used(m, width, add_in_pairs(terms)) for width, terms in products.items()
        ]
        if self.config.is_staged:
            sums = [
                delayed(m, str(number), each, reset_less=True) for number, each in enumerate(sums)
            ]
        # The wide products arrive last.
        m.d.comb += self.product.eq(add_in_pairs(sorted(sums, key=len)))

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
        """A sum over the units of a width, or zero at wider precisions, which do not use them."""
        if width == max(self.config.precisions):
            return value
        used = Signal.like(value, name=f"sum_{width}")
        for precision in self._cases(m):
            if precision <= width:
                m.d.comb += used.eq(value)
        return used


def _product_of_multiplier(activation: Value, weight: Value, multiplier_bits: int) -> Value:
    """Product by a multiplier for signed operands of `multiplier_bits` bits.

    If the activation has one bit more than that, its highest bit is left out: the multiplier then
    reads an unsigned activation with the next bit set as 2**bits too low. The missing multiple of
    the weight is added.
    """
    if len(activation) <= multiplier_bits:
        return activation * weight
    bits = len(activation) - 1
    missing = Mux(activation[bits - 1] & ~activation[bits], weight, 0)
    return activation[:bits].as_signed() * weight + (missing << bits)


def _product_of_adders(activation: Value, weight: Value) -> Value:
    """Product by one addend for each bit of the activation; that of the sign is subtracted."""
    addends = [Mux(bit, weight, 0) << place for place, bit in enumerate(activation)]
    return add_in_pairs(addends[:-1]) - addends[-1]
