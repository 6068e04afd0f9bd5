"""Narrow copies of results, for neurons of the next layer that compute at fewer bits."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.layouts import result_lane
from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


def wanted_layout(config: EngineConfig) -> data.StructLayout:
    """Which fields of a result lane a tile's command asks for."""
    return data.StructLayout(
        {"result": 1, **{f"copy_{width}": 1 for width in config.narrow_precisions}}
    )


def copies_layout(config: EngineConfig) -> data.StructLayout:
    """The fields that are wanted, a shift for each narrow copy, and whether they are unsigned."""
    members = {"wanted": wanted_layout(config), "is_unsigned": 1}
    members |= {f"shift_{width}": 4 for width in config.narrow_precisions}
    return data.StructLayout(members)


class Requantize(Leaf):
    """Rounds and saturates one row's result to each narrow width.

    Latency: none, combinational.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    result : in, 16 bits, signed, a result
    copies : in, `copies_layout(config)`, what the tile's command requests
    lane : out, `result_lane(config)`, the result and its copies; what is not requested is zero
    """

    clocked = False

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "result": In(signed(OPERAND_BITS)),
                "copies": In(copies_layout(config)),
                "lane": Out(result_lane(config)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_requantize_p{'_'.join(map(str, self.config.precisions))}"

    def build(self) -> Module:
        """A shifter and a clipper for each width, whose inputs toggle only if it is wanted."""
        m = Module()
        with m.If(self.copies.wanted.result):
            m.d.comb += self.lane.result.eq(self.result)
        for width in self.config.narrow_precisions:
            shift = self.copies[f"shift_{width}"]
            operand = Signal.like(self.result, name=f"operand_{width}")
            with m.If(self.copies.wanted[f"copy_{width}"]):
                m.d.comb += operand.eq(self.result)
            m.d.comb += self.lane[f"copy_{width}"].eq(self._build_copy(m, operand, shift, width))
        return m

    def _build_copy(self, m: Module, operand: Signal, shift: Value, width: int) -> Value:
        """The lowest bits after the shift, rounded half up, unless the others saturate it."""
        sign, is_unsigned = operand[-1], self.copies.is_unsigned
        window: Value = Cat(Const(0, 1), operand, sign.replicate(width - 1))
        for bit in reversed(range(len(shift))):
            reach = width + (1 << bit)
            shifted = Signal(reach, name=f"shifted_{width}_{bit}")
            m.d.comb += shifted.eq(Mux(shift[bit], window[1 << bit :], window))
            window = shifted
        top = window[width]
        rounded = Signal(width + 1, name=f"rounded_{width}")
        m.d.comb += rounded.eq(window[1:] + window[0])
        # Whether a bit that the shift moves to place `width` or above differs from the sign.
        places = range(width, OPERAND_BITS - 1)
        beyond = Cat((operand[p] ^ sign) & (shift <= p - width) for p in places).any()
        is_over = beyond | Mux(is_unsigned, rounded[width], top | rounded[width - 1])
        saturates = Mux(sign, is_unsigned | beyond | ~top, is_over)
        limit = Cat((~sign).replicate(width - 1), is_unsigned ^ sign)
        return Mux(saturates, limit, rounded[:width])
