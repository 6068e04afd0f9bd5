"""The halt: how a bad command or a request of the host stops the engine."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.commands import ErrorCause


class Halt(Component):
    """Halts the engine at a bad command or on request of the host, until the host resumes it.

    While it is halted the engine begins nothing, discards every word that comes in, and sends the
    results of the tiles that had entered completely. A request to resume waits until the engine is
    empty; then the error is cleared and the next word is the first of new work. A request to
    resume has no effect on an engine that is not halted; together with a request to halt it is a
    complete soft reset.

    Latency: `halted` is high from the cycle after the command or the request on.

    Ports
    -----
    cause : in, `ErrorCause`, cause of a bad command that is taken in this cycle, else NONE
    halt, resume : in, 1 bit each, requests of the host, high for one cycle
    busy : in, 1 bit, the engine is not empty
    halted : out, 1 bit, the engine is halted
    error : out, `ErrorCause`, cause of the bad command that halted it, else NONE
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
