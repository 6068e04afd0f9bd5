"""An operand store streams the requested number of written beats without a pause."""

from typing import Any, ClassVar

from amaranth.asserts import AnyConst  # type: ignore[attr-defined]
from amaranth.hdl import Module, Mux, Signal

from qcnpe.rtl.link import store
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest

_COUNT_BITS = 4
"""Numbers of beats are taken modulo this: longer runs repeat shorter ones."""


class StoreHarness(Harness):
    """A store of two-bit beats; one address, whichever it is, is watched.

    The executor guarantees the assumption: the store is written and started only while it is idle.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def build(self, m: Module) -> None:
        """The watched beat, what is left to play, and the address of the next beat."""
        m.submodules.dut = dut = store.OperandStore(width=2, depth=self.depth)
        free_inputs(m, dut)
        bits = len(dut.address)
        watched: Any = Signal(bits)
        m.d.comb += watched.eq(AnyConst(bits))
        known, beat = Signal(), Signal(2)
        with m.If(dut.write & (dut.address == watched)):
            m.d.sync += [known.eq(1), beat.eq(dut.word)]
        left, place, moved = Signal(_COUNT_BITS), Signal(bits), Signal()
        m.d.comb += moved.eq(dut.output.valid & dut.output.ready)
        m.d.sync += [
            left.eq(Mux(dut.start, dut.count, left - moved)),
            place.eq(Mux(dut.start, dut.address, place + moved)),
        ]
        rests = left == 0
        self.assume(
            implies(dut.write | dut.start, rests),
            ~(dut.write & dut.start),
            implies(dut.start, (dut.count != 0) & (dut.count < 1 << _COUNT_BITS)),
        )
        payload, waits = dut.output.payload, past(m, dut.output.valid & ~dut.output.ready)
        self.claim(
            "the beat of its address",
            implies(dut.output.valid & known & (place == watched), payload == beat),
        )
        self.claim("as many as told", implies(dut.output.valid, left != 0))
        self.claim("plays until all have left", dut.playing == (left != 0))
        self.claim("without a pause", implies((left != 0) & ~past(m, dut.start), dut.output.valid))
        self.claim("stable", implies(waits, dut.output.valid & (payload == past(m, payload))))
        self.witness("the last beat of several", moved, left == 1, past(m, moved), known)
        self.witness("around the end", moved, past(m, moved), place == 0, left != 1)


class TestStore(ProofTest):
    sizes = (2, 4)
    bugs: ClassVar = {
        "the beat of its address": Bug(
            store, "address.eq(Mux(self.write, self.address, following))", "address.eq(following)"
        ),
        "as many as told": Bug(
            store, "self.output.valid.eq(left - moved != 0)", "self.output.valid.eq(left != 0)"
        ),
        "plays until all have left": Bug(
            store, "self.playing.eq(left != 0)", "self.playing.eq(left > 1)"
        ),
        "without a pause": Bug(
            store,
            "self.output.valid.eq(left - moved != 0)",
            "self.output.valid.eq((left - moved != 0) & ~moved)",
        ),
        "stable": Bug(store, "following.eq(place + moved)", "following.eq(place + 1)"),
    }

    def harness(self, size: int) -> StoreHarness:
        return StoreHarness(size)
