"""The neural compute unit (NCU): one output-stationary accumulator."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.delay import delayed
from qcnpe.rtl.layouts import WEIGHT_LANE, low_segments, mode_bits, west_layout
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.mac import make_mac
from qcnpe.spec.config import EngineConfig


class Ncu(Leaf):
    """Multiplies the operands that pass through it and accumulates the sum of a tile.

    An activation lane comes from the west and leaves to the east one cycle later, a weight lane
    comes from the north and leaves to the south; both carry a valid flag. The unit works when both
    are valid, and passes them on as valid only then: units east and south of a masked one are
    masked, too, and nothing in them is clocked. A lane of zeros does not change the accumulator.
    On `gated`, operand bits below a tile's precision are zero; the first beat of the tile clears
    their registers, which are not clocked after it.

    Latency: operands that enter in cycle t are in the accumulator in cycle t + 2; `done` is high in
    cycle t + 2 if they were the last of a tile, and `result` must be read in that cycle, since the
    next tile's first product may replace it. On a staged engine products pass a register, and all
    this is one cycle later. Throughput: one lane a cycle, no flow control.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    west : in, `west_layout(config)`, activation lane and its control word
    east : out, `west_layout(config)`, the same, one cycle later
    north : in, `WEIGHT_LANE`, weight lane
    south : out, `WEIGHT_LANE`, the same, one cycle later
    result : out, `config.accumulator_bits` bits, signed, the accumulator while `done`, else zero,
        so that a row can be read through ORs
    done : out, 1 bit, the accumulator holds the sum of a whole tile
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "west": In(west_layout(config)),
                "east": Out(west_layout(config)),
                "north": In(WEIGHT_LANE),
                "south": Out(WEIGHT_LANE),
                "result": Out(signed(config.accumulator_bits)),
                "done": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_ncu_{parameter_suffix(self.config)}"

    def build(self) -> Module:
        """Operand registers, multiplier, accumulator."""
        m = Module()
        lane, weight = self._build_operands(m)
        working = Signal()
        m.d.comb += [
            working.eq(lane.lane.valid & weight.valid),
            self.east.eq(lane),
            self.east.lane.valid.eq(working),
            self.south.eq(weight),
            self.south.valid.eq(working),
        ]
        self._build_accumulator(m, lane, weight, working)
        return m

    def _build_operands(self, m: Module) -> tuple[Any, Any]:
        """Registers on the way east and south, clocked only for bits that will be used."""
        upper = self._upper
        lane = Signal.like(self.west, name="lane")
        weight = Signal.like(self.north, name="weight")
        m.d.sync += [
            lane.lane.valid.eq(self.west.lane.valid),
            weight.valid.eq(self.north.valid),
        ]
        with m.If(self.west.lane.valid):
            m.d.sync += [
                lane.lane.zero.eq(self.west.lane.zero),
                lane.control.first.eq(self.west.control.first),
                lane.control.last.eq(self.west.control.last),
            ]
            with m.If(~self.west.lane.zero):
                m.d.sync += upper(lane.lane.operands).eq(upper(self.west.lane.operands))
            with m.If(self.west.control.first):
                m.d.sync += lane.control.is_unsigned.eq(self.west.control.is_unsigned)
                if mode_bits(self.config):
                    m.d.sync += lane.control.mode.eq(self.west.control.mode)
                if low_segments(self.config):
                    m.d.sync += lane.control.used.eq(self.west.control.used)
        with m.If(self.north.valid):
            m.d.sync += upper(weight.operands).eq(upper(self.north.operands))
        self._build_low_segments(m, lane, weight)
        return lane, weight

    def _upper(self, operands: Any) -> Any:
        """Operand bits that every tile uses."""
        segments = low_segments(self.config)
        return operands[segments[-1].stop :] if segments else operands

    def _build_low_segments(self, m: Module, lane: Any, weight: Any) -> None:
        """Low bits: the first beat of a tile that does not use them clears them."""
        first = self.west.control.first
        for index, segment in enumerate(low_segments(self.config)):
            used = lane.control.used[index]
            with m.If(self.west.lane.valid & (first | used & ~self.west.lane.zero)):
                m.d.sync += lane.lane.operands[segment].eq(self.west.lane.operands[segment])
            with m.If(self.west.lane.valid & self.north.valid & (first | used)):
                m.d.sync += weight.operands[segment].eq(self.north.operands[segment])

    def _build_accumulator(self, m: Module, lane: Any, weight: Any, working: Signal) -> None:
        m.submodules.mac = mac = make_mac(self.config)
        m.d.comb += [
            mac.activations.eq(lane.lane.operands),
            mac.weights.eq(weight.operands),
            mac.is_unsigned.eq(lane.control.is_unsigned),
        ]
        if mode_bits(self.config):
            m.d.comb += mac.mode.eq(lane.control.mode)
        total = Signal(signed(self.config.accumulator_bits))
        first, zero, last = lane.control.first, lane.lane.zero, lane.control.last
        if self.config.is_staged:
            early = {"working": working, "first": first, "zero": zero, "last": last}
            working, first, zero, last = (delayed(m, name, value) for name, value in early.items())
        with m.If(working & (first | ~zero)):
            m.d.sync += total.eq(Mux(first, 0, total) + Mux(zero, 0, mac.product))
        m.d.sync += self.done.eq(working & last)
        m.d.comb += self.result.eq(Mux(self.done, total, 0))


def parameter_suffix(config: EngineConfig) -> str:
    """Part of a module's name: all parameters that change the logic of an NCU."""
    precisions = "_".join(map(str, config.precisions))
    return f"{config.ncu}_p{precisions}_a{config.accumulator_bits}"
