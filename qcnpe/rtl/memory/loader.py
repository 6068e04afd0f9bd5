"""Loads from external memory to the memories on the chip."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.memory.bus import transfer_layout
from qcnpe.rtl.memory.layouts import load_layout, transfer_job_layout
from qcnpe.spec.memory.config import MemoryConfig

WAITING_LOADS = 2
"""Loads that may wait while another one is done."""


class Loader(Component):
    """Does one load after the other: row by row, bus word by bus word.

    Latency: two cycles from a job to its transfer; bus words pass in the cycle in which they come.
    Throughput: one bus word a cycle.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    jobs : in, stream of `transfer_job_layout(config)`, loads
    transfer : out, stream of `transfer_layout(config.bus_bits, config.address_bits)`, to the
        `AxiReader`
    words : in, stream of `config.bus_bits` bits, of the `AxiReader`
    done : in, 1 bit, see `AxiReader`
    loads : out, stream of `load_layout(config)`, bus words with their places
    idle : out, 1 bit, there is no load
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        transfer = transfer_layout(config.bus_bits, config.address_bits)
        super().__init__(
            {
                "jobs": In(stream.Signature(transfer_job_layout(config))),
                "transfer": Out(stream.Signature(transfer)),
                "words": In(stream.Signature(config.bus_bits)),
                "done": In(1),
                "loads": Out(stream.Signature(load_layout(config))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A queue of loads; the one at its end is being done."""
        m = Module()
        width = len(self.jobs.payload.as_value())
        m.submodules.queue = queue = Fifo(width=width, depth=WAITING_LOADS + 1)
        job: Any = Signal(transfer_job_layout(self.config))
        requested, row, word = Signal(), Signal(16), Signal(8)
        m.d.comb += [
            queue.i.payload.eq(self.jobs.payload),
            queue.i.valid.eq(self.jobs.valid),
            self.jobs.ready.eq(queue.i.ready),
            job.eq(queue.o.payload),
            queue.o.ready.eq(self.done),
            self.transfer.payload.first.eq(job.first),
            self.transfer.payload.count.eq(job.rows * job.words),
            self.transfer.valid.eq(queue.o.valid & ~requested),
            self.loads.payload.memory.eq(job.memory),
            self.loads.payload.row.eq(job.row + row),
            self.loads.payload.word.eq(word),
            self.loads.payload.data.eq(self.words.payload),
            self.loads.valid.eq(self.words.valid),
            self.words.ready.eq(self.loads.ready),
            self.idle.eq(~queue.o.valid),
        ]
        with m.If(self.transfer.valid & self.transfer.ready):
            m.d.sync += requested.eq(1)
        with m.If(self.loads.valid & self.loads.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(word + 1 == job.words):
                m.d.sync += [word.eq(0), row.eq(row + 1)]
        with m.If(self.done):
            m.d.sync += [requested.eq(0), row.eq(0), word.eq(0)]
        return m
