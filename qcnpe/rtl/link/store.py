"""Operands that tiles play again and again."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component


class OperandStore(Component):
    """Beats of activations or weights in block memory, played to the engine at full rate.

    The host writes a tile's operands once; every tile that reads them again costs it a few octets.
    Networks of several operating points lie side by side.

    Latency: two cycles from `start` to the first beat. Throughput: one beat a cycle.

    Parameters
    ----------
    width : bits of a beat
    depth : beats that it holds, a power of two

    Ports
    -----
    address : of a write, or of the first beat to play
    word, write : write a beat; only while nothing is played
    count, start : play so many beats, at least one; only while nothing is played
    playing : beats are on their way
    output : stream of beats
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
        """The next beat is read while the present one leaves."""
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
            # One address and either access: a memory with a single port will do.
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
