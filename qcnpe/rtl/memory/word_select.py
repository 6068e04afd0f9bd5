"""The bank that a lane has read."""

from amaranth.hdl import Module
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.select import select_word


class WordSelect(Leaf):
    """Selects the word of one bank: this is a row of the crossbar.

    Latency: none.

    Parameters
    ----------
    width : bits of a word
    words : number of words

    Ports
    -----
    choices : in, `data.ArrayLayout(width, words)`, the words
    number : in, `range(words)`, which one
    word : out, `width` bits, that one
    """

    clocked = False

    def __init__(self, *, width: int, words: int) -> None:
        self.width, self.words = width, words
        super().__init__(
            {
                "choices": In(data.ArrayLayout(width, words)),
                "number": In(range(words)),
                "word": Out(width),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_word_select_{self.words}x{self.width}"

    def build(self) -> Module:
        """An OR of the words, of which all but one are masked."""
        m = Module()
        m.d.comb += self.word.eq(select_word(list(self.choices), self.number))
        return m
