"""Operands that tiles read repeatedly."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component


class OperandStore(Component):
    """Beats of activations or weights in block memory, streamed to the engine at full rate.

    The host writes the operands of a tile once; each further tile that reads them takes a few
    octets on the line. The networks of several operating points are stored side by side.

    Latency: two cycles from `start` to the first beat. Throughput: one beat a cycle.

    Parameters
    ----------
    width : bits of a beat
    depth : capacity in beats, a power of two

    Ports
    -----
    address : in, `range(depth)`, of a write, or of the first beat to stream
    word : in, `width` bits, the beat to write
    write : in, 1 bit, write the beat; only while `playing` is low
    count : in, 16 bits, number of beats to stream, at least one
    start : in, 1 bit, begin to stream; only while `playing` is low
    playing : out, 1 bit, beats are left to stream
    output : out, stream of `width` bits, one beat each
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__(
            {
                "address": In(range(depth)),
                "word": In(width),
                "write": In(1),
                "count": In(16),
                "start": In(1),
                "playing": Out(1),
                "output": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The next beat is read in the cycle in which the present one is taken."""
        m = Module()
        beats: Any = Memory(shape=self.width, depth=self.depth, init=[])
        m.submodules.beats = beats
        write: Any = beats.write_port()
        read: Any = beats.read_port()
        place, following = Signal(range(self.depth)), Signal(range(self.depth))
        left = Signal(16)
        moved = Signal()
        address = Signal(range(self.depth), name="one_address")
        m.d.comb += [
            # One address for both accesses: a memory with a single port is enough.
            address.eq(Mux(self.write, self.address, following)),
            write.addr.eq(address),
            write.data.eq(self.word),
            write.en.eq(self.write),
            moved.eq(self.output.valid & self.output.ready),
            following.eq(place + moved),
            read.addr.eq(address),
            read.en.eq(~self.write),
            self.output.payload.eq(read.data),
            self.playing.eq(left != 0),
        ]
        m.d.sync += [
            place.eq(following),
            left.eq(left - moved),
            self.output.valid.eq(left - moved != 0),
        ]
        with m.If(self.start):
            m.d.sync += [place.eq(self.address), left.eq(self.count), self.output.valid.eq(0)]
        return m
