"""Each request to a board gets one frame, with the right content, and within a bound.

The frame of the highest priority is sent first. So an answer may wait for as many others as the
host's own frames request, but never while the line is idle. The contents of frames are proved for
the first `_CYCLES` cycles: the welcome, and the answer after it.
"""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from qcnpe.rtl.link import response_framer as module
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.frames import HEADER_BYTES, RESULT_BEATS, Kind, Welcome
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import BOUNDED, ProofTest
from tests.formal.small_engine import small

_WELCOME = Welcome(version=1, fifo_depth=2, buffer=512, store=16)

_BODIES = {Kind.WELCOME: 7, Kind.REFUSED: 1, Kind.VALUE: 4, Kind.DONE: 1}
"""Octets of each kind's body, but for results; the most urgent kind first."""

_CYCLES = 20


class ResponseHarness(Harness):
    """A response framer with any requests at any time, and an account of its frames.

    The streams of values and of results keep a beat valid until it is taken, as the executor and
    the engine do.
    """

    dut: Any
    index: Signal
    begins: Value
    said: Signal

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def place(self, m: Module) -> None:
        """The framer, the number of the octet in its frame, and the length of a short one."""
        self.dut = m.submodules.dut = dut = module.ResponseFramer(self.config, welcome=_WELCOME)
        free_inputs(m, dut)
        for source in (dut.results, dut.values):
            held = past(m, source.valid & ~source.ready)
            self.assume(implies(held, source.valid & (source.payload == past(m, source.payload))))
        self.assume(implies(past(m, 1), dut.session == past(m, dut.session)))
        frames = dut.frames
        self.index, self.said = Signal(range(self.longest + 2)), Signal(range(self.longest + 2))
        with m.If(frames.valid & frames.ready):
            following = self.index + (self.index <= self.longest)
            m.d.sync += self.index.eq(Mux(frames.payload.last, 0, following))
        waited = past(m, frames.valid & ~frames.ready)
        self.begins = frames.valid & (self.index == 0) & ~waited
        for kind in Kind:
            with m.If(self.begins & (frames.payload.octet == kind)):
                m.d.sync += self.said.eq(HEADER_BYTES + _BODIES.get(kind, 0))

    @property
    def beat_bytes(self) -> int:
        """Octets of a beat of results."""
        return self.config.rows * self.config.result_lane_bits // 8

    @property
    def longest(self) -> int:
        """Octets of the longest frame."""
        return HEADER_BYTES + max(_BODIES[Kind.WELCOME], RESULT_BEATS * self.beat_bytes)


class ControlHarness(ResponseHarness):
    """Which frames there are, and where they end."""

    def build(self, m: Module) -> None:
        """Frames, their requests, and the beats in them."""
        self.place(m)
        frames, index = self.dut.frames, self.index
        octet, last = frames.payload.octet, frames.payload.last
        waited = past(m, frames.valid & ~frames.ready)
        self.claim("an octet stays", implies(waited, frames.valid & (octet == past(m, octet))))
        self.claim("frames end", index < self.longest)
        short = frames.valid & (index != 0) & (self.said != HEADER_BYTES)
        self.claim("short frames end in time", implies(short, last == (index == self.said - 1)))
        self._claim_requests(m)
        self._claim_beats(m)
        taken = self.dut.results.valid & self.dut.results.ready
        self.witness("a second beat in a frame", taken, index > HEADER_BYTES)
        self.witness("the last answer", self.begins, octet == Kind.DONE)

    def _claim_requests(self, m: Module) -> None:
        """An answer is owed from the second cycle after its request."""
        dut, octet = self.dut, self.dut.frames.payload.octet
        owed = {Kind.WELCOME: Signal(name="owed_welcome", init=1)}
        m.d.sync += owed[Kind.WELCOME].eq(owed[Kind.WELCOME] & ~self.begins)
        for kind, pulse in ((Kind.DONE, dut.done), (Kind.REFUSED, dut.refused)):
            owed[kind] = Signal(name=f"owed_{kind.name.lower()}")
            answered = self.begins & (octet == kind)
            m.d.sync += owed[kind].eq(owed[kind] & ~answered | past(m, pulse))
        waiting = Cat(*owed.values()).any() | dut.values.valid | dut.results.valid
        idle = ~dut.frames.valid & past(m, ~dut.frames.valid)
        self.claim("nothing waits for an idle line", implies(idle, ~past(m, waiting)))
        owed[Kind.VALUE] = past(m, dut.values.valid & dut.values.ready)
        owed[Kind.RESULTS] = past(m, dut.results.valid)
        self.claim(
            "only what is asked for",
            implies(self.begins, Cat(*(octet == kind for kind in owed)).any()),
            *(implies(self.begins & (octet == kind), asked) for kind, asked in owed.items()),
        )

    def _claim_beats(self, m: Module) -> None:
        """Each beat is sent completely, low octet first, before the next one is taken."""
        frames, results = self.dut.frames, self.dut.results
        kind, beat = Signal(8), Signal(8 * self.beat_bytes)
        left = Signal(range(self.beat_bytes + 1))
        with m.If(self.begins):
            m.d.sync += kind.eq(frames.payload.octet)
        taken = results.valid & results.ready
        moved = frames.valid & frames.ready & (kind == Kind.RESULTS) & (self.index >= HEADER_BYTES)
        with m.If(moved):
            m.d.sync += [beat.eq(beat >> 8), left.eq(left - (left != 0))]
        with m.If(taken):
            m.d.sync += [beat.eq(results.payload), left.eq(self.beat_bytes)]
        self.claim("beats are sent whole", implies(taken, left == 0), implies(moved, left != 0))
        self.claim("beats are sent in order", implies(moved, frames.payload.octet == beat[:8]))
        self.claim(
            "a frame of results ends with a beat",
            implies(moved & frames.payload.last, left == 1),
            implies(results.ready, results.valid),
        )


class TextHarness(ResponseHarness):
    """Contents of the header and of the short bodies."""

    def build(self, m: Module) -> None:
        """A frame begins one cycle after the values that it reports."""
        self.place(m)
        dut, octet = self.dut, self.dut.frames.payload.octet
        count, reason, expected = Signal(8), Signal(8), Signal(8)
        with m.If(self.begins & (octet == Kind.RESULTS)):
            m.d.sync += count.eq(count + 1)
        with m.If(dut.refused):
            m.d.sync += [reason.eq(Value.cast(dut.reason)), expected.eq(dut.expected)]
        told = _WELCOME.encode()
        bodies = {
            Kind.WELCOME: Cat(Const(0, 8), Const(int.from_bytes(told, "little"), 8 * len(told))),
            Kind.REFUSED: Cat(past(m, expected), past(m, reason)),
            Kind.VALUE: Cat(past(m, dut.worked_off), past(m, dut.values.payload)),
            Kind.DONE: Cat(past(m, dut.worked_off), past(m, dut.error)),
            Kind.RESULTS: count,
        }
        text = Signal(8 * (HEADER_BYTES + len(told)))
        now = Signal.like(text)
        m.d.comb += now.eq(text)
        for kind, body in bodies.items():
            with m.If(self.begins & (octet == kind)):
                m.d.comb += now.eq(Cat(Const(kind, 8), dut.session, body))
        m.d.sync += text.eq(Mux(dut.frames.valid & dut.frames.ready, now >> 8, now))
        within = dut.frames.valid & (self.index != 0) & (self.index < self.said)
        self.claim("frames say what was so", implies(within, octet == now[:8]))
        self.witness("a value is said", within, past(m, octet) == 0x55, octet == 0xAA)


class TestResponseFramer(ProofTest):
    sizes = (small(2, 1), small(1, 1))
    bug_depth = witness_depth = 50
    bugs: ClassVar = {
        "an octet stays": Bug(
            module,
            "with m.If(moved):\n                    m.d.sync += [text",
            "with m.If(1):\n                    m.d.sync += [text",
        ),
        "frames end": Bug(module, "& (beats != RESULT_BEATS)", ""),
        "short frames end in time": Bug(
            module,
            "octet.last.eq(last & ~with_results)",
            "octet.last.eq(last | with_results)",
        ),
        "nothing waits for an idle line": Bug(
            module, "finishes.eq(finishes | self.done)", "finishes.eq(self.done)"
        ),
        "only what is asked for": Bug(
            module,
            "m.d.sync += refuses.eq(self.refused)",
            "m.d.sync += refuses.eq(self.done)",
        ),
        "beats are sent whole": Bug(
            module, "beat_left.eq(beat_bytes)", "beat_left.eq(beat_bytes - 1)"
        ),
        "beats are sent in order": Bug(module, "beat.eq(beat >> 8)", "beat.eq(beat >> 4)"),
        "a frame of results ends with a beat": Bug(module, "(beat_left == 1) & ~more", "~more"),
    }

    def harness(self, size: EngineConfig) -> ControlHarness:
        return ControlHarness(size)


class TestResponseTexts(ProofTest):
    sizes = (small(1, 1),)
    engine, depth = BOUNDED, _CYCLES
    bug_depth = witness_depth = _CYCLES
    bugs: ClassVar = {
        "frames say what was so": Bug(
            module, "say(Kind.VALUE, self.worked_off,", "say(Kind.VALUE, expected,"
        ),
    }

    def harness(self, size: EngineConfig) -> TextHarness:
        return TextHarness(size)
