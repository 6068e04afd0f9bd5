"""Bodies of frames that wait for their execution."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.framer import FRAMED_OCTET


def _memory(depth: int) -> Any:
    return Memory(shape=FRAMED_OCTET, depth=depth, init=[])


class Packets(Component):
    """A queue in block memory whose writer can discard what it has not committed.

    Latency: two cycles from `commit` to the first octet. Throughput: one octet a cycle.

    Parameters
    ----------
    depth : octets that it holds, a power of two

    Ports
    -----
    octet : in, 8 bits, an octet to write
    last : in, 1 bit, it is the last one of its body
    write : in, 1 bit, write the octet
    commit : in, 1 bit, accept what was written, the octet of this cycle included
    rewind : in, 1 bit, discard what was written since the last commit
    overflow : out, 1 bit, the body that is being written has no room
    output : out, stream of `FRAMED_OCTET`, the committed octets
    """

    def __init__(self, *, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "octet": In(8),
                "last": In(1),
                "write": In(1),
                "commit": In(1),
                "rewind": In(1),
                "overflow": Out(1),
                "output": Out(stream.Signature(FRAMED_OCTET)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Three pointers around a ring."""
        m = Module()
        m.submodules.ring = ring = _memory(self.depth)
        write, read = ring.write_port(), ring.read_port()
        # One bit more than the address has tells full from empty.
        bits = self.depth.bit_length()
        written, committed, next_written, taken = (
            Signal(bits, name=name) for name in ("written", "committed", "next_written", "taken")
        )
        full, lost = Signal(), Signal()
        m.d.comb += [
            full.eq((written - taken)[:bits] == self.depth),
            self.overflow.eq(lost | self.write & full),
            write.addr.eq(written[:-1]),
            write.data.octet.eq(self.octet),
            write.data.last.eq(self.last),
            write.en.eq(self.write & ~full),
            next_written.eq(written + write.en),
        ]
        m.d.sync += [written.eq(next_written), lost.eq(self.overflow)]
        with m.If(self.commit):
            m.d.sync += committed.eq(next_written)
        with m.If(self.rewind):
            m.d.sync += written.eq(committed)
        with m.If(self.commit | self.rewind):
            m.d.sync += lost.eq(0)
        self._build_output(m, read, committed, taken)
        return m

    def _build_output(self, m: Module, read: Any, committed: Signal, taken: Signal) -> None:
        """The next octet is read while the present one is taken."""
        following = Signal.like(taken)
        m.d.comb += [
            following.eq(taken + (self.output.valid & self.output.ready)),
            read.addr.eq(following[:-1]),
            self.output.payload.eq(read.data),
        ]
        m.d.sync += [taken.eq(following), self.output.valid.eq(following != committed)]
