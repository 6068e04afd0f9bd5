"""Loads from external memory to the memories on the chip."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo, RegisterQueue
from qcnpe.rtl.memory.bus import transfer_layout
from qcnpe.rtl.memory.layouts import MEMORY_BITS, load_layout, transfer_job_layout
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.timing import REQUESTED_LOADS, WAITING_LOADS

_RECEIVED = data.StructLayout({"memory": MEMORY_BITS, "row": 16, "rows": 16, "words": 8})
"""The low fields of a job: what is left to know when its words come."""


class Loader(Component):
    """Does one load after the other: row by row, bus word by bus word.

    Latency: one cycle from a job to its transfer; bus words pass in the cycle in which they come.
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
                "loads": Out(stream.Signature(load_layout(config))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A queue of loads that are to be requested, and one of those that were."""
        m = Module()
        layout = transfer_job_layout(self.config)
        m.submodules.waiting = waiting = Fifo(width=layout.size, depth=WAITING_LOADS)
        requested = RegisterQueue(width=_RECEIVED.size, depth=REQUESTED_LOADS)
        m.submodules.requested = requested
        asked: Any = data.View(layout, waiting.o.payload)
        job: Any = data.View(_RECEIVED, requested.o.payload)
        row, word, ends = Signal(16), Signal(8), Signal()
        m.d.comb += [
            waiting.i.payload.eq(self.jobs.payload),
            waiting.i.valid.eq(self.jobs.valid),
            self.jobs.ready.eq(waiting.i.ready),
            self.transfer.payload.first.eq(asked.first),
            self.transfer.payload.count.eq(asked.rows * asked.words),
            self.transfer.valid.eq(waiting.o.valid & requested.i.ready),
            waiting.o.ready.eq(self.transfer.ready & requested.i.ready),
            requested.i.payload.eq(waiting.o.payload[: _RECEIVED.size]),
            requested.i.valid.eq(waiting.o.valid & self.transfer.ready),
            requested.o.ready.eq(ends),
            self.idle.eq(~waiting.o.valid & ~requested.o.valid),
        ]
        m.d.comb += [
            self.loads.payload.memory.eq(job.memory),
            self.loads.payload.row.eq(job.row + row),
            self.loads.payload.word.eq(word),
            self.loads.payload.data.eq(self.words.payload),
            self.loads.valid.eq(self.words.valid),
            self.words.ready.eq(self.loads.ready),
        ]
        with m.If(self.loads.valid & self.loads.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(word + 1 == job.words):
                m.d.comb += ends.eq(row + 1 == job.rows)
                m.d.sync += [word.eq(0), row.eq(Mux(ends, 0, row + 1))]
        return m
