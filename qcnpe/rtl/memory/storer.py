"""Stores rows of the activation banks to external memory, and fills them with zeros."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.bus import transfer_layout
from qcnpe.rtl.memory.layouts import bank_words_layout, transfer_job_layout
from qcnpe.rtl.memory.select import select_word
from qcnpe.spec.memory.config import MemoryConfig


class Storer(Component):
    """Reads all banks row by row, and sends each row bus word by bus word.

    Latency: two cycles from a job to its first bus word. Throughput: one bus word a cycle.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    jobs : in, stream of `transfer_job_layout(config)`, stores
    transfer : out, stream of `transfer_layout(config.bus_bits, config.address_bits)`, to the
        `AxiWriter`
    words : out, stream of `config.bus_bits` bits, to the `AxiWriter`
    done : in, 1 bit, see `AxiWriter`
    row : out, `config.row_bits` bits, row to read of all banks; zero while none is read
    read_enable : out, 1 bit, read it
    bank_words : in, `bank_words_layout(config)`, the row that was read
    idle : out, 1 bit, there is no store
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        transfer = transfer_layout(config.bus_bits, config.address_bits)
        super().__init__(
            {
                "jobs": In(stream.Signature(transfer_job_layout(config))),
                "transfer": Out(stream.Signature(transfer)),
                "words": Out(stream.Signature(config.bus_bits)),
                "done": In(1),
                "row": Out(config.row_bits),
                "read_enable": Out(1),
                "bank_words": In(bank_words_layout(config)),
                "idle": Out(1),
            }
        )

    def _split(self) -> list[Value]:
        """The bus words of a row."""
        words, size = self.bank_words.as_value(), self.config.bus_bits
        return [words[low : low + size] for low in range(0, len(words), size)]

    def elaborate(self, platform: object) -> Module:
        """The next row is read when the last bus word of the present one leaves."""
        m = Module()
        job: Any = Signal(transfer_job_layout(self.config))
        active, requested, word, left = Signal(), Signal(), Signal(8), Signal(16)
        row_ends = self.words.ready & (word + 1 == job.words)
        m.d.comb += [
            self.transfer.payload.first.eq(job.first),
            self.transfer.payload.count.eq(job.rows * job.words),
            self.transfer.valid.eq(active & ~requested),
            self.read_enable.eq((left != 0) & (~self.words.valid | row_ends)),
            self.words.payload.eq(select_word(self._split(), word)),
            self.jobs.ready.eq(~active),
            self.idle.eq(~active),
        ]
        with m.If(self.read_enable):
            m.d.comb += self.row.eq(job.row)
            m.d.sync += [job.row.eq(job.row + 1), left.eq(left - 1), self.words.valid.eq(1)]
        with m.Elif(row_ends):
            m.d.sync += self.words.valid.eq(0)
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(row_ends):
                m.d.sync += word.eq(0)
        with m.If(self.transfer.valid & self.transfer.ready):
            m.d.sync += requested.eq(1)
        with m.If(self.done):
            m.d.sync += active.eq(0)
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [
                job.eq(self.jobs.payload),
                left.eq(self.jobs.payload.rows),
                active.eq(1),
                requested.eq(0),
            ]
        return m
