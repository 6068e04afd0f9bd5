"""Queues in the block memories of an FPGA."""

from typing import Any

from amaranth.hdl import Fragment, Instance, Module, Signal
from amaranth.lib.memory import Memory

from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.leaf import Leaf, ModuleLibrary
from qcnpe.rtl.shared_multipliers import MULTIPLIER_BITS


class BlockQueue(Fifo):
    """The queue of `Fifo` in a memory with synchronous read, as block memories have.

    A word that is written and read in the same cycle is passed through, so that the latency is
    that of `Fifo`.

    Latency: a word that enters in cycle t can leave in cycle t + 1. Throughput: one word a cycle.

    Parameters
    ----------
    width, depth : see `Fifo`

    Ports
    -----
    i : in, stream of `width` bits, words that enter
    o : out, stream of `width` bits, words that leave
    level : out, `range(depth + 1)`, number of words in the queue
    """

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_block_queue_{self.width}x{self.depth}"

    def build(self) -> Module:
        """A ring buffer; the next word is read while the present one leaves."""
        m = Module()
        places = (self.depth - 1).bit_length()
        attributes = {"ram_style": "block"}
        ring: Any = Memory(shape=self.width, depth=1 << places, init=[], attrs=attributes)
        m.submodules.ring = ring
        write = ring.write_port()
        read = ring.read_port(transparent_for=(write,))
        written, taken, following = (
            Signal(places, name=name) for name in ("written", "taken", "following")
        )
        pop = self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(self.level != self.depth),
            self.o.valid.eq(self.level != 0),
            self.o.payload.eq(read.data),
            following.eq(taken + pop),
            read.addr.eq(following),
            write.addr.eq(written),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid & self.i.ready),
        ]
        m.d.sync += [
            taken.eq(following),
            written.eq(written + write.en),
            self.level.eq(self.level + write.en - pop),
        ]
        return m


class FpgaLibrary(ModuleLibrary):
    """A module library for FPGAs: queues are in block memories, since registers run out first.

    Parameters
    ----------
    multiplier_bits : operand bits of the FPGA's multipliers, see `SharedMultipliers`
    """

    def __init__(self, *, multiplier_bits: int = MULTIPLIER_BITS) -> None:
        super().__init__()
        self.multiplier_bits = multiplier_bits

    def place(self, leaf: Leaf) -> Instance:
        """Place a leaf, or a `BlockQueue` for a `Fifo`."""
        if type(leaf) is Fifo:
            queue = BlockQueue(width=leaf.width, depth=leaf.depth)
            Fragment.get(queue, self)  # places it, as the design itself would have done
            return self.instance(queue.module_name, leaf)
        return super().place(leaf)
