"""The gate of a board's link accepts or refuses each frame once, and accepts only valid frames."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.link import gate
from qcnpe.spec.frames import HEADER_BYTES, Kind
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest

HELLO, WORK, POLL = Kind.HELLO, Kind.WORK, Kind.POLL


class GateHarness(Harness):
    """A gate with any octets, and an account of the frame that they form."""

    def build(self, m: Module) -> None:
        """The header is in four registers, each of which takes its octet."""
        m.submodules.dut = dut = gate.Gate()
        free_inputs(m, dut)
        place = Signal(range(HEADER_BYTES + 1))
        header = [Signal(8, name=f"header_{n}") for n in range(HEADER_BYTES)]
        ends, in_body = dut.valid & dut.last, place == HEADER_BYTES
        with m.If(dut.valid):
            m.d.sync += place.eq(Mux(dut.last, 0, Mux(in_body, place, place + 1)))
        for n, octet in enumerate(header):
            with m.If(dut.valid & (place == n)):
                m.d.sync += octet.eq(dut.payload)
        kind, session, sequence = header[0], Cat(header[1], header[2]), header[3]
        greeted, expected = Signal(16), Signal(8)
        whole = ends & in_body & dut.good
        greets = whole & (kind == HELLO)
        ours = whole & (session == greeted)
        enters = ours & (kind == WORK) & (sequence == expected) & ~dut.overflow
        m.d.sync += expected.eq(Mux(greets, 0, expected + enters))
        with m.If(greets):
            m.d.sync += greeted.eq(session)
        self._claim(dut, greets, enters, ours & (kind == POLL))
        self._claim_verdict(m, dut, ends)
        self.claim("the session is that of the greeting", dut.session == greeted)
        self.claim("numbers count what came in", dut.expected == expected)
        self.claim("a greeting restarts the board", dut.restart == past(m, greets))
        self.claim(
            "bodies are written whole",
            dut.write == (dut.valid & in_body),
            implies(dut.write, (dut.octet == dut.payload) & (dut.octet_last == dut.last)),
        )
        self.witness("the second frame comes in", dut.commit, expected == 1)
        self.witness("a number is wrong", ours, kind == WORK, dut.refused, expected == 1)
        self.witness("another session begins", greets, greeted != 0, session != greeted)

    def _claim(self, dut: Any, greets: Value, enters: Value, polls: Value) -> None:
        self.claim("what comes in is whole, ours and in turn", implies(dut.commit, enters))
        self.claim("such frames come in", implies(enters, dut.commit))
        self.claim("polls are answered", dut.poll == polls)

    def _claim_verdict(self, m: Module, dut: Any, ends: Value) -> None:
        """Liveness: every frame, good or bad, gets an answer."""
        verdicts = [past(m, signal) for signal in (dut.commit, dut.poll, dut.refused)]
        count = sum((*verdicts, dut.restart), start=Value.cast(0))
        self.claim("one verdict for each frame", count == past(m, ends))
        self.claim("what does not come in is taken back", dut.rewind == (ends & ~dut.commit))


class TestGate(ProofTest):
    sizes = ("any octets",)
    bug_depth = witness_depth = 24
    bugs: ClassVar = {
        "what comes in is whole, ours and in turn": Bug(
            gate, "(sequence != self.expected)", "(sequence < self.expected)"
        ),
        "such frames come in": Bug(
            gate, "(kind == Kind.WORK) & self.overflow", "(kind == Kind.WORK) & self.expected[0]"
        ),
        "polls are answered": Bug(gate, "(kind == Kind.POLL)),", "(kind != Kind.WORK)),"),
        "one verdict for each frame": Bug(gate, "ends & (cause != 0)", "ends & ~self.good"),
        "what does not come in is taken back": Bug(
            gate, "self.rewind.eq(ends & ~self.commit)", "self.rewind.eq(self.refused)"
        ),
        "the session is that of the greeting": Bug(
            gate, "[self.session.eq(session),", "[self.session.eq(session | self.session),"
        ),
        "numbers count what came in": Bug(gate, "self.expected + 1", "self.expected + ~self.last"),
        "a greeting restarts the board": Bug(
            gate, "self.restart.eq(greeted)", "self.restart.eq(ends & (kind == Kind.HELLO))"
        ),
        "bodies are written whole": Bug(
            gate,
            "self.write.eq(self.valid & in_body)",
            "self.write.eq(self.valid & in_body & ~self.overflow)",
        ),
    }

    def harness(self, size: str) -> GateHarness:
        return GateHarness()
