"""Fills rows of the activation banks with zeros."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.memory.config import MemoryConfig

FILL_JOB = data.StructLayout({"row": 16, "rows": 16})
"""Rows of all banks."""


class Filler(Component):
    """Gives the rows of each fill, one after the other.

    Latency: one cycle. Throughput: one row a cycle.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    jobs : in, stream of `FILL_JOB`, fills
    row : out, `config.row_bits` bits, row to set to zero; zero while there is none
    fills : out, 1 bit, set it to zero
    """

    def __init__(self, config: MemoryConfig) -> None:
        super().__init__(
            {
                "jobs": In(stream.Signature(FILL_JOB)),
                "row": Out(config.row_bits),
                "fills": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A counter of rows that are left."""
        m = Module()
        row, left = Signal.like(self.row, name="next_row"), Signal(16)
        m.d.comb += [self.fills.eq(left != 0), self.jobs.ready.eq(~self.fills)]
        with m.If(self.fills):
            m.d.comb += self.row.eq(row)
            m.d.sync += [row.eq(row + 1), left.eq(left - 1)]
        with m.Elif(self.jobs.valid):
            m.d.sync += [row.eq(self.jobs.payload.row), left.eq(self.jobs.payload.rows)]
        return m
