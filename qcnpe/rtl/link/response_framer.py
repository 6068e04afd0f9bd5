"""The frames that a board sends."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.framer import FRAMED_OCTET
from qcnpe.spec.frames import (
    HEADER_BYTES,
    RESULT_BEATS,
    WELCOME_FIELDS,
    Kind,
    LinkedEngine,
    Refusal,
    Welcome,
    result_bits,
)
from qcnpe.spec.registers import REGISTER_BYTES

_WELCOME_BYTES = sum(field.bits for field in WELCOME_FIELDS) // 8
_TEXT_BYTES = HEADER_BYTES + _WELCOME_BYTES


class ResponseFramer(Component):
    """Makes the frames of a board's responses, in this order of priority.

    WELCOME after a reset, REFUSED, VALUE, DONE, RESULTS. Requests for the same kind that arrive
    before its frame begins are answered by one frame.

    Latency: one cycle from IDLE to the first octet of a frame. Throughput: one octet a cycle; a
    beat of results takes one cycle more.

    Parameters
    ----------
    config : the engine, or the memories of an autonomous one
    welcome : the parameters of the link

    Ports
    -----
    session : in, 16 bits, session number of each frame
    refused : in, 1 bit, see `Gate`
    reason : in, `Refusal`, see `Gate`
    expected : in, 8 bits, see `Gate`
    done : in, 1 bit, high for one cycle: acknowledge the executed bodies
    worked_off : in, 8 bits, number of executed bodies, modulo 256
    error : in, 1 bit, a bad command halted the engine
    values : in, stream of 32 bits, registers that were read
    results : in, stream of `result_bits(config)` bits, beats of results
    frames : out, stream of `FRAMED_OCTET`, to the `Framer`
    """

    def __init__(self, config: LinkedEngine, *, welcome: Welcome) -> None:
        self._welcome = welcome
        self._beat_bits = result_bits(config)
        super().__init__(
            {
                "session": In(16),
                "refused": In(1),
                "reason": In(Refusal),
                "expected": In(8),
                "done": In(1),
                "worked_off": In(8),
                "error": In(1),
                "values": In(stream.Signature(8 * REGISTER_BYTES)),
                "results": In(stream.Signature(self._beat_bits)),
                "frames": Out(stream.Signature(FRAMED_OCTET)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Header and short bodies from one shift register, beats of results from another one."""
        m = Module()
        text, left = Signal(8 * _TEXT_BYTES), Signal(range(_TEXT_BYTES + 1))
        beat = Signal(self._beat_bits)
        beat_bytes = self._beat_bits // 8
        beat_left, beats = Signal(range(beat_bytes + 1)), Signal(range(RESULT_BEATS + 1))
        with_results, octet = Signal(), self.frames.payload
        moved = self.frames.valid & self.frames.ready
        events = self._build_events(m)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.sync += beats.eq(0)
                self._build_choice(m, events, text, left, with_results)
            with m.State("TEXT"):
                last = left == 1
                m.d.comb += [
                    self.frames.valid.eq(1),
                    octet.octet.eq(text[:8]),
                    octet.last.eq(last & ~with_results),
                ]
                with m.If(moved):
                    m.d.sync += [text.eq(text[8:]), left.eq(left - 1)]
                    with m.If(last):
                        m.next = "IDLE"
                        with m.If(with_results):
                            m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.results.ready.eq(1)
                m.d.sync += [
                    beat.eq(self.results.payload),
                    beat_left.eq(beat_bytes),
                    beats.eq(beats + 1),
                ]
                m.next = "BEAT"
            with m.State("BEAT"):
                more = self.results.valid & (beats != RESULT_BEATS)
                m.d.comb += [
                    self.frames.valid.eq(1),
                    octet.octet.eq(beat[:8]),
                    octet.last.eq((beat_left == 1) & ~more),
                ]
                with m.If(moved):
                    m.d.sync += [beat.eq(beat >> 8), beat_left.eq(beat_left - 1)]
                    with m.If(beat_left == 1):
                        m.next = "IDLE"
                        with m.If(more):
                            m.next = "TAKE"
        return m

    def _build_events(self, m: Module) -> tuple[Signal, ...]:
        """Registers that hold requests of a single cycle until they are answered."""
        welcomes = Signal(init=1)
        refuses, finishes = Signal(), Signal()
        reason, expected = Signal(Refusal), Signal(8)
        m.d.sync += [refuses.eq(refuses | self.refused), finishes.eq(finishes | self.done)]
        with m.If(self.refused):
            m.d.sync += [reason.eq(self.reason), expected.eq(self.expected)]
        return welcomes, refuses, finishes, reason, expected

    def _build_choice(
        self,
        m: Module,
        events: tuple[Signal, ...],
        text: Signal,
        left: Signal,
        with_results: Signal,
    ) -> None:
        """Begin the frame of the most urgent request."""
        welcomes, refuses, finishes, reason, expected = events
        count = Signal(8, name="results_frames")

        def say(kind: Kind, sequence: Value, *body: tuple[Value, int]) -> Sequence[object]:
            parts = [value | Const(0, 8 * octets) for value, octets in body]
            octets = HEADER_BYTES + sum(octets for _, octets in body)
            m.next = "TEXT"
            return [
                text.eq(Cat(Const(kind, 8), self.session, sequence, *parts)),
                left.eq(octets),
                with_results.eq(kind == Kind.RESULTS),
            ]

        told = int.from_bytes(self._welcome.encode(), "little")
        with m.If(welcomes):
            body = Const(told, 8 * _WELCOME_BYTES)
            m.d.sync += say(Kind.WELCOME, Const(0, 8), (body, _WELCOME_BYTES))
            m.d.sync += welcomes.eq(0)
        with m.Elif(refuses):
            m.d.sync += say(Kind.REFUSED, expected, (Value.cast(reason), 1))
            m.d.sync += refuses.eq(self.refused)
        with m.Elif(self.values.valid):
            m.d.comb += self.values.ready.eq(1)
            m.d.sync += say(Kind.VALUE, self.worked_off, (self.values.payload, REGISTER_BYTES))
        with m.Elif(finishes):
            m.d.sync += say(Kind.DONE, self.worked_off, (self.error, 1))
            m.d.sync += finishes.eq(self.done)
        with m.Elif(self.results.valid):
            m.d.sync += say(Kind.RESULTS, count)
            m.d.sync += count.eq(count + 1)
