"""Narrow copies of results, for neurons of the next layer that compute at fewer bits."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.layouts import result_lane
from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


def copies_layout(config: EngineConfig) -> data.StructLayout:
    """The narrow copies of a tile: a shift and an enable for each width, and whether unsigned."""
    members: dict[str, int] = {"is_unsigned": 1}
    for width in config.narrow_precisions:
        members |= {f"shift_{width}": 4, f"wanted_{width}": 1}
    return data.StructLayout(members)


class Requantize(Leaf):
    """Rounds and saturates one lane's result to each narrow width.

    Latency: none, combinational.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    result : in, 16 bits, signed, a result
    copies : in, `copies_layout(config)`, the copies that the tile's command requests
    lane : out, `result_lane(config)`, the result and its copies; a copy not requested is zero
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
        """A shifter and a clipper for each width."""
        m = Module()
        m.d.comb += self.lane.result.eq(self.result)
        for width in self.config.narrow_precisions:
            shift, wanted = self.copies[f"shift_{width}"], self.copies[f"wanted_{width}"]
            rounded = Signal(signed(OPERAND_BITS + 1), name=f"rounded_{width}")
            half_up = ((self.result << 1) >> shift) + 1
            m.d.comb += rounded.eq(half_up >> 1)
            with m.If(wanted):
                m.d.comb += self.lane[f"copy_{width}"].eq(self._clip(rounded, width))
        return m

    def _clip(self, rounded: Signal, width: int) -> Value:
        high = (1 << width) - 1
        unsigned = Mux(rounded < 0, 0, Mux(rounded > high, high, rounded))
        return Mux(self.copies.is_unsigned, unsigned[:width], _saturate(rounded, width)[:width])


def _saturate(value: Value, bits: int) -> Value:
    """`value` clipped to `bits` bits, two's complement."""
    value = Value.cast(value)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    clipped = Mux(value < low, low, Mux(value > high, high, value))
    return clipped[:bits].as_signed()
