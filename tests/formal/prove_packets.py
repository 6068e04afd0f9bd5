"""The queue of a board's frames returns the committed octets, in order, and no others."""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal

from qcnpe.rtl.link import packets
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest


class PacketsHarness(Harness):
    """A queue and a shift register of the written octets, the oldest first.

    The gate guarantees the assumption: a body without room is discarded, not committed.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def build(self, m: Module) -> None:
        """The account removes its newest octets when they are discarded."""
        m.submodules.dut = dut = packets.Packets(depth=self.depth)
        free_inputs(m, dut)
        written = Cat(dut.octet, dut.last)
        words = [Signal(len(written), name=f"word_{n}") for n in range(self.depth)]
        committed, pending = (Signal(range(self.depth + 1), name=n) for n in ("kept", "pending"))
        overflowed = Signal()
        leave, full = Signal(), Signal()
        m.d.comb += [
            leave.eq(dut.output.valid & dut.output.ready),
            full.eq(committed + pending == self.depth),
        ]
        enter = dut.write & ~full
        place = committed + pending - leave
        for n, word in enumerate(words):
            above = words[n + 1] if n + 1 < self.depth else word
            m.d.sync += word.eq(Mux(enter & (place == n), written, Mux(leave, above, word)))
        ends = dut.commit | dut.rewind
        m.d.sync += [
            committed.eq(committed - leave + Mux(dut.commit, pending + enter, 0)),
            pending.eq(Mux(ends, 0, pending + enter)),
            overflowed.eq(dut.overflow & ~ends),
        ]
        self.assume(~(dut.commit & dut.rewind), ~(dut.commit & dut.overflow))
        payload = dut.output.payload.as_value()
        self.claim("order", implies(dut.output.valid, payload == words[0]))
        self.claim("only what is committed", implies(dut.output.valid, committed != 0))
        self.claim(
            "all that is committed, soon",
            implies(past(m, committed - leave != 0), dut.output.valid),
        )
        self.claim("an overflow stays to the body's end", implies(overflowed, dut.overflow))
        self.claim(
            "only a full queue overflows", implies(dut.overflow & ~overflowed, dut.write & full)
        )
        self.claim("a full queue overflows", implies(dut.write & full, dut.overflow))
        waited = past(m, dut.output.valid & ~dut.output.ready)
        self.claim("stable", implies(waited, dut.output.valid & (payload == past(m, payload))))
        self.witness("full of committed octets", committed == self.depth, leave)
        self.witness("room after a body was taken back", past(m, full & dut.rewind), enter)


class TestPackets(ProofTest):
    sizes = (2, 4)
    bugs: ClassVar = {
        "order": Bug(packets, "read.addr.eq(following[:-1])", "read.addr.eq(taken[:-1])"),
        "only what is committed": Bug(
            packets, "self.output.valid.eq(following != committed)", "self.output.valid.eq(1)"
        ),
        "all that is committed, soon": Bug(
            packets, "committed.eq(next_written)", "committed.eq(written)"
        ),
        "an overflow stays to the body's end": Bug(
            packets, "lost.eq(self.overflow)", "lost.eq(self.write & full)"
        ),
        "only a full queue overflows": Bug(
            packets, "with m.If(self.commit | self.rewind):", "with m.If(self.commit):"
        ),
        "a full queue overflows": Bug(
            packets, "lost | self.write & full", "lost | self.write & full & ~self.last"
        ),
        "stable": Bug(packets, "(self.output.valid & self.output.ready)", "self.output.valid"),
    }

    def harness(self, size: int) -> PacketsHarness:
        return PacketsHarness(size)
