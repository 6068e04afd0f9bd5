"""A few words of a queue, beside each other."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf


class Bank(Leaf):
    """Words of registers that only toggle when they have to.

    A word that enters any other bank is not seen by the registers here: even a register whose
    clock stands still takes energy when its input toggles.

    Latency: a word can be read in the cycle after it was written. Throughput: one word a cycle.

    Parameters
    ----------
    width : bits of a word
    words : number of words

    Ports
    -----
    payload, push : a word enters the queue
    write_here, write_place : whether it goes into this bank, and where to, one-hot
    read_here, read_place : the same for what is read
    value : the word that is read, zero if it is not here
    """

    def __init__(self, *, width: int, words: int) -> None:
        self.width, self.words = width, words
        super().__init__(
            {
                "payload": In(width),
                "push": In(1),
                "write_here": In(1),
                "write_place": In(words),
                "read_here": In(1),
                "read_place": In(words),
                "value": Out(width),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_bank_{self.width}x{self.words}"

    def build(self) -> Module:
        """Registers behind one AND, before an AND each and an OR."""
        m = Module()
        entering = Signal(self.width)
        m.d.comb += entering.eq(Mux(self.write_here, self.payload, 0))
        seen = []
        for place in range(self.words):
            word = Signal(self.width, reset_less=True, name=f"word_{place}")
            with m.If(self.push & self.write_here & self.write_place[place]):
                m.d.sync += word.eq(entering)
            seen.append(Mux(self.read_here & self.read_place[place], word, 0))
        m.d.comb += self.value.eq(reduce(or_, seen))
        return m
