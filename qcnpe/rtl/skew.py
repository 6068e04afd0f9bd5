"""The triangle of registers that lets lane n of a beat arrive n cycles late."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component


class Skew(Component):
    """Delays lane n of a beat, and the control word that goes with it, by n cycles.

    Stage s of a falling chain keeps the lanes from s on; it is clocked only when a beat moves into
    it. A lane's layout must have a member `valid`.

    Parameters
    ----------
    lane : layout of one lane
    lanes : number of lanes
    control : layout of the control word

    Ports
    -----
    valid : there is a beat in this cycle
    control, lanes : the beat
    lane_out : the lanes, each late by its number; a lane is valid if its beat was, too
    control_out : the control word beside each lane
    """

    def __init__(self, *, lane: data.StructLayout, lanes: int, control: data.StructLayout) -> None:
        self._lane, self._count, self._control = lane, lanes, control
        super().__init__(
            {
                "valid": In(1),
                "control": In(control),
                "lanes": In(data.ArrayLayout(lane, lanes)),
                "lane_out": Out(data.ArrayLayout(lane, lanes)),
                "control_out": Out(data.ArrayLayout(control, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One register stage a lane, each a lane narrower than the one before."""
        m = Module()
        valid, control, lanes = self.valid, self.control, self.lanes
        for index in range(self._count):
            m.d.comb += [
                self.lane_out[index].eq(lanes[0]),
                self.lane_out[index].valid.eq(lanes[0].valid & valid),
                self.control_out[index].eq(control),
            ]
            left = self._count - index - 1
            if left:
                stage = self._build_stage(m, index, valid, control, lanes, left)
                valid, control, lanes = stage
        return m

    def _build_stage(
        self, m: Module, index: int, valid: Signal, control: Signal, lanes: Signal, left: int
    ) -> tuple[Signal, Signal, Signal]:
        next_valid = Signal(name=f"valid_{index}")
        next_control = Signal(self._control, name=f"control_{index}")
        next_lanes = Signal(data.ArrayLayout(self._lane, left), name=f"lanes_{index}")
        m.d.sync += next_valid.eq(valid)
        with m.If(valid):
            m.d.sync += next_control.eq(control)
            m.d.sync += [next_lanes[lane].eq(lanes[lane + 1]) for lane in range(left)]
        return next_valid, next_control, next_lanes
