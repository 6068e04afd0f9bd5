"""The halt: what a bad command or the host's order does to the engine."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.commands import ErrorCause


class Halt(Component):
    """Holds the engine from a bad command, or an order of the host, until the order to resume.

    While it is halted the engine begins nothing, discards every word that comes in, and sends the
    results of the tiles that had entered whole. An order to resume waits until nothing is left
    inside; then the error is forgotten and the next word is the first of new work. Without a halt,
    an order to resume does nothing; given together with a halt, it makes a whole soft reset.

    Latency: halted from the cycle after the command or the order on.

    Ports
    -----
    cause : in, 4 bits, of a bad command that is taken in this cycle, else NONE
    halt, resume : in, 1 bit each, orders of the host, for a cycle
    busy : in, 1 bit, something is left inside
    halted : out, 1 bit, the engine is halted
    error : out, 4 bits, cause of the bad command that halted it
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "cause": In(ErrorCause),
                "halt": In(1),
                "resume": In(1),
                "busy": In(1),
                "halted": Out(1),
                "error": Out(ErrorCause),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two flags and the cause."""
        m = Module()
        bad = Signal()
        resuming = Signal()
        ends = Signal()
        m.d.comb += [
            bad.eq(self.cause != ErrorCause.NONE),
            ends.eq(resuming & ~self.busy & ~self.halt),
        ]
        with m.If(ends):
            m.d.sync += [self.halted.eq(0), self.error.eq(ErrorCause.NONE), resuming.eq(0)]
        with m.If(self.halt | self.resume):
            m.d.sync += resuming.eq(self.resume & (self.halt | self.halted & ~ends))
        with m.If(self.halt | bad):
            m.d.sync += self.halted.eq(1)
        with m.If(bad):
            m.d.sync += self.error.eq(self.cause)
        return m
