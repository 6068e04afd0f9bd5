"""The memories that only loads write."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.layouts import address_bits, entry_bits, load_layout
from qcnpe.rtl.memory.select import select_word
from qcnpe.rtl.memory.sram import Sram
from qcnpe.spec.memory.config import Memory, MemoryConfig


class RowMemory(Component):
    """A memory of rows that are written bus word by bus word, and read entry by entry.

    Latency: an entry is valid in the cycle after its address, and stays while `read_enable` is low.
    Throughput: a read and a write a cycle.

    Parameters
    ----------
    config : the memories
    memory : which one

    Ports
    -----
    address : in, `address_bits(config, memory)` bits, entry to read
    read_enable : in, 1 bit, read it
    entry : out, `entry_bits(config, memory)` bits, the entry that was read
    load : in, `load_layout(config)`, a bus word
    load_valid : in, 1 bit, write it, if it is for this memory
    """

    def __init__(self, config: MemoryConfig, *, memory: Memory) -> None:
        self.config, self.memory = config, memory
        super().__init__(
            {
                "address": In(address_bits(config, memory)),
                "read_enable": In(1),
                "entry": Out(entry_bits(config, memory)),
                "load": In(load_layout(config)),
                "load_valid": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One SRAM for each bus word of a row; the entry is selected behind them."""
        m = Module()
        config, memory = self.config, self.memory
        entries = config.entries(memory)
        low = entries.bit_length() - 1
        select = Signal(low)
        with m.If(self.read_enable):
            m.d.sync += select.eq(self.address[:low])
        content, words = config.row_content_bits(memory), []
        chosen = self.load_valid & (self.load.memory == memory)
        for number in range(config.row_words(memory)):
            width = min(config.bus_bits, content - number * config.bus_bits)
            sram = Sram(width=width, depth=max(2, config.depth(memory)), granularity=width)
            m.submodules[f"word_{number}"] = sram
            m.d.comb += [
                sram.read_address.eq(self.address[low:]),
                sram.read_enable.eq(self.read_enable),
                sram.write_address.eq(self.load.row),
                sram.write_data.eq(self.load.data),
                sram.write_enable.eq(chosen & (self.load.word == number)),
            ]
            words.append(sram.read_data)
        if entries > 1:
            size = len(self.entry)
            words = [words[0][low : low + size] for low in range(0, content, size)]
        m.d.comb += self.entry.eq(select_word(words, select) if entries > 1 else Cat(*words))
        return m
