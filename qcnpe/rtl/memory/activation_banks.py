"""The activation banks, and who may use their ports."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.activation_bank import ActivationBank
from qcnpe.rtl.memory.layouts import (
    bank_reads_layout,
    bank_words_layout,
    bank_writes_layout,
    load_layout,
)
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import Memory, MemoryConfig


class ActivationBanks(Component):
    """All banks, and who uses them.

    Tiles, stores and fills never use a port in the same cycle, since the `Processor` keeps them
    apart. A load waits while tiles write.

    Latency: words are valid in the cycle after their addresses, and stay until the next read.
    Throughput: a read and a write of each bank a cycle.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    reads : in, `bank_reads_layout(config)`, of tiles
    row : in, `config.row_bits` bits, of all banks, of a store; zero while none is read
    row_read : in, 1 bit, read that row
    words : out, `bank_words_layout(config)`, what was read
    writes : in, `bank_writes_layout(config)`, of tiles
    fill_row : in, `config.row_bits` bits, of all banks, of a fill; zero while there is none
    fills : in, 1 bit, set that row to zero
    load : in, `load_layout(config)`, a bus word
    load_valid : in, 1 bit, write it, if it is for the banks; not while tiles write
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        super().__init__(
            {
                "reads": In(bank_reads_layout(config)),
                "row": In(config.row_bits),
                "row_read": In(1),
                "words": Out(bank_words_layout(config)),
                "writes": In(bank_writes_layout(config)),
                "fill_row": In(config.row_bits),
                "fills": In(1),
                "load": In(load_layout(config)),
                "load_valid": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A bus word is for the banks of one part of a row."""
        m = Module()
        config = self.config
        lanes = config.bus_bits // OPERAND_BITS
        loads, load_row = Signal(), Signal(config.row_bits)
        m.d.comb += [
            loads.eq(self.load_valid & (self.load.memory == Memory.ACTIVATIONS)),
            load_row.eq(Mux(loads, self.load.row, 0)),
        ]
        for number in range(config.banks):
            bank = ActivationBank(depth=config.activation_rows, row_bits=config.row_bits)
            m.submodules[f"bank_{number}"] = bank
            low = number % lanes * OPERAND_BITS
            m.d.comb += [
                bank.tile_row.eq(self.reads.rows[number]),
                bank.tile_reads.eq(self.reads.enable[number]),
                bank.store_row.eq(self.row),
                bank.store_reads.eq(self.row_read),
                self.words[number].eq(bank.word),
                bank.write_row.eq(self.writes.rows[number]),
                bank.write_word.eq(self.writes.words[number]),
                bank.write_bytes.eq(self.writes.bytes[number]),
                bank.fill_row.eq(self.fill_row),
                bank.fills.eq(self.fills),
                bank.load_row.eq(load_row),
                bank.load_word.eq(self.load.data[low : low + OPERAND_BITS]),
                bank.loads.eq(loads & (self.load.word == number // lanes)),
            ]
        return m
