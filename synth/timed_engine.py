"""The engine with an array that has only the timing of one: it tells when sums are complete.

No handshake of an engine depends on the values of sums. Amaranth's simulator takes most of its time
for the multiplications, which are left out.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from qcnpe.rtl.engine import Engine
from qcnpe.rtl.ncu_array import NcuArray


class TimedArray(NcuArray):
    """An array whose sums are all zero, with the ports and the timing of `NcuArray`."""

    def elaborate(self, platform: object) -> Module:
        """The flags of each beat, delayed by as many cycles as any sum takes."""
        m = Module()
        rows, cols = self.config.rows, self.config.cols
        used_rows = Cat(lane.valid for lane in self.activations)
        used_cols = Cat(lane.valid for lane in self.weights)
        flags: Value = Cat(self.valid & self.control.last, used_rows, used_cols)
        stages: list[Any] = []
        for number in range(self.LATENCY + rows + cols - 2):
            stage = Signal(len(flags), name=f"flags_{number}")
            m.d.sync += stage.eq(flags)
            stages.append(stage)
            flags = stage
        for row in range(rows):
            late = (stages[self.LATENCY - 1 + row + col] for col in range(cols))
            m.d.comb += self.done[row].eq(
                Cat(s[0] & s[1 + row] & s[1 + rows + col] for col, s in enumerate(late)).any()
            )
        return m


class TimedEngine(Engine):
    """An engine with the ports and the timing of `Engine`; its results are not those of sums."""

    def _make_array(self) -> NcuArray:
        return TimedArray(self.config)
