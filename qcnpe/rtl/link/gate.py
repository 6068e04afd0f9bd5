"""The gate between the line and the board."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.frames import HEADER_BYTES, HEADER_FIELDS, Kind, Refusal


class Gate(Component):
    """Lets in the bodies of frames that are whole, of this session, and next in turn.

    A greeting begins a new session, whatever the board was doing. It lives in a domain of its own,
    which its `restart` does not reset.

    Latency: none; bodies are written while they come, and committed or taken back at their end.
    Throughput: one octet a cycle.

    Parameters
    ----------
    none

    Ports
    -----
    payload, valid, last, good : from the `Deframer`
    octet, write, octet_last : to `Packets`: write an octet, which may be the body's last
    overflow : the body that comes has no room there
    commit, rewind : the body that was written counts, or not
    session : of the last greeting
    restart : a greeting came: all but the line is reset
    poll : the host asks how far the board is
    refused, reason, expected : a frame was dropped, why, and the number that is next in turn
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
        """Header in a shift register, then one decision at the end of each frame."""
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
        # A cycle later: it resets everything, which is far away.
        m.d.sync += self.restart.eq(greeted)
        with m.If(greeted):
            m.d.sync += [self.session.eq(session), self.expected.eq(0)]
        with m.If(self.commit):
            m.d.sync += self.expected.eq(self.expected + 1)
