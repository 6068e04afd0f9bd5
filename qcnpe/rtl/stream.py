"""FIFOs that decouple the engine's streams."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf


class Fifo(Leaf):
    """A first-in first-out queue between two streams of plain bits.

    Latency: a word that enters in cycle t can leave in cycle t + 1. Throughput: one word a cycle.

    Parameters
    ----------
    width : bits of a word
    depth : words that it holds

    Ports
    -----
    i, o : the streams
    level : words that it holds now
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "o": Out(stream.Signature(width)),
                "level": Out(range(depth + 1)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_fifo_{self.width}x{self.depth}"

    def build(self) -> Module:
        """The library's queue behind stream ports."""
        m = Module()
        m.submodules.queue = queue = SyncFIFO(width=self.width, depth=self.depth)
        m.d.comb += [
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
            self.level.eq(queue.level),  # type: ignore[attr-defined]
        ]
        return m
