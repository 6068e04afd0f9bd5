"""The words in which a row's narrow results are gathered."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.layouts import result_lane
from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


class Gather(Leaf):
    """Puts narrow copies of a row's results into words, one word for each width.

    Latency: none from a result to the word with it; a word is kept from the next cycle on.

    Parameters
    ----------
    config : the engine, of several widths

    Ports
    -----
    lane : in, `result_lane(config)`, the row's result and its copies
    width : in, 2 bits, index of a width; 0: the result itself, which is not gathered
    place : in, 4 bits, lowest bit of the copy in the word
    keep : in, 1 bit, keep the word
    clear : in, 1 bit, set the word of this width to zero
    word : out, 16 bits, the result, or the gathered word with the copy
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "lane": In(result_lane(config)),
                "width": In(2),
                "place": In(4),
                "keep": In(1),
                "clear": In(1),
                "word": Out(OPERAND_BITS),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_gather_{'_'.join(map(str, self.config.precisions))}"

    def build(self) -> Module:
        """A register for each narrow width."""
        m = Module()
        word: Value = self.lane.result
        for index, width in enumerate(self.config.narrow_precisions, 1):
            gathered = Signal(OPERAND_BITS, name=f"gathered_{width}")
            merged = Signal(OPERAND_BITS, name=f"merged_{width}")
            mask = Signal(OPERAND_BITS, name=f"mask_{width}")
            copy = getattr(self.lane, f"copy_{width}")
            m.d.comb += [
                mask.eq(Const((1 << width) - 1, width) << self.place),
                merged.eq((gathered & ~mask) | (copy << self.place)),
            ]
            with m.If(self.width == index):
                with m.If(self.clear):
                    m.d.sync += gathered.eq(0)
                with m.Elif(self.keep):
                    m.d.sync += gathered.eq(merged)
            word = Mux(self.width == index, merged, word)
        m.d.comb += self.word.eq(word)
        return m
