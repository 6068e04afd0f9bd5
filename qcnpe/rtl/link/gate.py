"""Acceptance of frames: the gate between the line and the board."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.frames import HEADER_BYTES, HEADER_FIELDS, Kind, Refusal


class Gate(Component):
    """Accepts bodies of frames that are undamaged, of this session, and next in sequence.

    A greeting (HELLO) begins a new session, whatever the board was doing. The gate is in a clock
    domain that its output `restart` does not reset.

    Latency: none; bodies are written as they arrive, and committed or discarded at their end.
    Throughput: one octet a cycle.

    Parameters
    ----------
    none

    Ports
    -----
    payload : in, 8 bits, an octet of a frame, from the `Deframer`
    valid, last, good : in, 1 bit each, see `Deframer`
    octet : out, 8 bits, to `Packets`
    octet_last : out, 1 bit, it is the last one of its body
    write : out, 1 bit, write the octet
    overflow : in, 1 bit, the body that arrives has no room in `Packets`
    commit, rewind : out, 1 bit each, accept the body that was written, or discard it
    session : out, 16 bits, number of the last greeting
    restart : out, 1 bit, high for one cycle after a greeting: reset everything but the line side
    poll : out, 1 bit, high for one cycle: the host asks for the number of executed bodies
    refused : out, 1 bit, high for one cycle: a frame was refused
    reason : out, `Refusal`, valid with `refused`
    expected : out, 8 bits, the next sequence number
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "payload": In(8),
                "valid": In(1),
                "last": In(1),
                "good": In(1),
                "octet": Out(8),
                "octet_last": Out(1),
                "write": Out(1),
                "overflow": In(1),
                "commit": Out(1),
                "rewind": Out(1),
                "session": Out(16),
                "restart": Out(1),
                "poll": Out(1),
                "refused": Out(1),
                "reason": Out(Refusal),
                "expected": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The header in a shift register, and one decision at the end of each frame."""
        m = Module()
        header, count = Signal(8 * HEADER_BYTES), Signal(range(HEADER_BYTES + 1))
        fields: dict[str, Value] = {}
        place = 0
        for field in HEADER_FIELDS:
            fields[field.name] = header[place : place + field.bits]
            place += field.bits
        in_body = count == HEADER_BYTES
        with m.If(self.valid):
            with m.If(~in_body):
                m.d.sync += [header.eq(Cat(header[8:], self.payload)), count.eq(count + 1)]
            with m.If(self.last):
                m.d.sync += count.eq(0)
        m.d.comb += [
            self.octet.eq(self.payload),
            self.octet_last.eq(self.last),
            self.write.eq(self.valid & in_body),
        ]
        self._build_decision(m, fields, self.valid & self.last, in_body)
        return m

    def _build_decision(
        self, m: Module, fields: dict[str, Value], ends: Value, in_body: Value
    ) -> None:
        kind, session, sequence = fields["kind"], fields["session"], fields["sequence"]
        known = (kind == Kind.HELLO) | (kind == Kind.WORK) | (kind == Kind.POLL)
        cause = Signal(Refusal)
        checks = (
            (Refusal.DAMAGED, ~self.good),
            (Refusal.KIND, ~in_body | ~known),
            (Refusal.SESSION, (kind != Kind.HELLO) & (session != self.session)),
            (Refusal.SEQUENCE, (kind == Kind.WORK) & (sequence != self.expected)),
            (Refusal.OVERFLOW, (kind == Kind.WORK) & self.overflow),
        )
        for code, bad in reversed(checks):
            with m.If(bad):
                m.d.comb += cause.eq(code)
        accepted, greeted = Signal(), Signal()
        m.d.comb += [
            accepted.eq(ends & (cause == 0)),
            greeted.eq(accepted & (kind == Kind.HELLO)),
            self.poll.eq(accepted & (kind == Kind.POLL)),
            self.commit.eq(accepted & (kind == Kind.WORK)),
            self.rewind.eq(ends & ~self.commit),
            self.refused.eq(ends & (cause != 0)),
            self.reason.eq(cause),
        ]
        # Registered: it resets the whole board, a long path.
        m.d.sync += self.restart.eq(greeted)
        with m.If(greeted):
            m.d.sync += [self.session.eq(session), self.expected.eq(0)]
        with m.If(self.commit):
            m.d.sync += self.expected.eq(self.expected + 1)
