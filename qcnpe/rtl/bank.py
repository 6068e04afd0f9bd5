"""A bank: a few words of a queue, in registers."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf


class Bank(Leaf):
    """Words in registers whose inputs toggle only when a word enters this bank.

    The inputs are held at zero while words enter other banks: even a register that is not clocked
    takes energy when its input toggles.

    Latency: a word can be read in the cycle after it was written. Throughput: one word a cycle.

    Parameters
    ----------
    width : bits of a word
    words : number of words

    Ports
    -----
    payload : in, `width` bits, a word to write
    push : in, 1 bit, the word enters the queue in this cycle
    write_here : in, 1 bit, this bank is the one to write to
    write_place : in, `words` bits, one-hot, place in the bank to write to
    read_here : in, 1 bit, this bank is the one to read from
    read_place : in, `words` bits, one-hot, place in the bank to read from
    value : out, `width` bits, the word that is read; zero unless `read_here`
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
        """One AND before all registers; an AND behind each, and an OR of these."""
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
