"""The queue keeps order, loses and repeats nothing, and is stable until a word is taken."""

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal

from qcnpe.rtl import fifo
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest


class FifoHarness(Harness):
    """A queue of two-bit words beside a shift register that remembers what entered.

    A word's bits are only moved, so that two of them represent any number.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def build(self, m: Module) -> None:
        """The model takes what the queue accepts and gives what the queue gives."""
        m.submodules.dut = dut = fifo.Fifo(width=2, depth=self.depth)
        free_inputs(m, dut)
        enter, leave = Signal(), Signal()
        m.d.comb += [enter.eq(dut.i.valid & dut.i.ready), leave.eq(dut.o.valid & dut.o.ready)]
        words = [Signal(2, name=f"word_{n}") for n in range(self.depth + 1)]
        count = Signal(range(self.depth + 2))
        place = Signal.like(count)
        m.d.comb += place.eq(count - leave)
        m.d.sync += count.eq(place + enter)
        for n, word in enumerate(words):
            above = words[n + 1] if n < self.depth else word
            m.d.sync += word.eq(Mux(enter & (place == n), dut.i.payload, Mux(leave, above, word)))
        waited = past(m, dut.o.valid & ~dut.o.ready)
        self.claim("order", implies(dut.o.valid & (count != 0), dut.o.payload == words[0]))
        self.claim("nothing is lost", implies(count != 0, dut.o.valid))
        self.claim("nothing is doubled", implies(dut.o.valid, count != 0))
        self.claim("level", dut.level == count)
        self.claim("room is used", implies(count != self.depth, dut.i.ready))
        self.claim(
            "stable", implies(waited, dut.o.valid & (dut.o.payload == past(m, dut.o.payload)))
        )
        full = past(m, count == self.depth)
        self.witness("full, then in and out at once", full, enter, leave)
        self.witness("the last word leaves", leave, count == 1, waited)


class TestFifo(ProofTest):
    sizes = (2, 3, 4, 6)
    bugs: ClassVar = {
        "order": Bug(fifo, "bank.read_place.eq(read_place)", "bank.read_place.eq(write_place)"),
        "nothing is lost": Bug(fifo, "with m.If(pop & ~push):", "with m.If(pop):"),
        "nothing is doubled": Bug(fifo, "with m.If(push & ~pop):", "with m.If(push):"),
        "level": Bug(fifo, "self.level.eq(self.level - 1)", "self.level.eq(0)"),
        "room is used": Bug(
            fifo, "eq(self.level != self.depth)", "eq((self.level != self.depth) & self.o.ready)"
        ),
        "stable": Bug(
            fifo,
            "self.o.valid.eq(self.level != 0)",
            "self.o.valid.eq((self.level != 0) & ~self.i.valid)",
        ),
    }

    def harness(self, size: int) -> FifoHarness:
        return FifoHarness(size)
