"""Starts and ends of runs."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.memory.descriptors import Fault

SETTLE_CYCLES = 4
"""Cycles from a fault after which no transfer can begin any more."""


class RunControl(Component):
    """Starts runs, and ends them at faults: everything but the bus is reset, and the bus finishes.

    Latency: a fault is reported when the bus is idle, `SETTLE_CYCLES` cycles after it at least.

    Ports
    -----
    start, stop : in, 1 bit each, requests of the host
    done : in, 1 bit, the run has ended well
    fault : in, `Fault`, a fault of the memory side in this cycle, or NONE
    engine_halted : in, 1 bit, the engine is halted
    engine_error : in, `ErrorCause`, why
    read_failed, write_failed : in, 1 bit each, a transfer has ended with an error
    bus_idle : in, 1 bit, no transfer is on the bus
    row : in, 16 bits, descriptor that has begun last
    starts : out, 1 bit, a run starts
    running : out, 1 bit, a run has not ended, or the bus is not idle
    ending : out, 1 bit, reset all but the bus, whose transfers are given up
    cause : out, `Fault`, why the last run was ended
    halt_error : out, `ErrorCause`, why the engine halted in the last run
    last_row : out, 16 bits, `row` of the last run, kept after it
    ended_well, ended_badly : out, 1 bit each, high for one cycle at the end of a run
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "done": In(1),
                "fault": In(Fault),
                "engine_halted": In(1),
                "engine_error": In(ErrorCause),
                "read_failed": In(1),
                "write_failed": In(1),
                "bus_idle": In(1),
                "row": In(16),
                "starts": Out(1),
                "running": Out(1),
                "ending": Out(1),
                "cause": Out(Fault),
                "halt_error": Out(ErrorCause),
                "last_row": Out(16),
                "ended_well": Out(1),
                "ended_badly": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The first cause is kept; of several in one cycle the one of the lowest code."""
        m = Module()
        found, since = Signal(Fault), Signal(SETTLE_CYCLES)
        others = (
            (Fault.STOPPED, self.stop),
            (Fault.WRITE, self.write_failed),
            (Fault.READ, self.read_failed),
        )
        for cause, happens in others:
            with m.If(happens):
                m.d.comb += found.eq(cause)
        with m.If(self.fault != Fault.NONE):
            m.d.comb += found.eq(self.fault)
        with m.If(self.engine_halted & ((self.fault == Fault.NONE) | (self.fault > Fault.ENGINE))):
            m.d.comb += found.eq(Fault.ENGINE)
        works = self.running & ~self.ending
        m.d.comb += [
            self.starts.eq(self.start & ~self.running),
            self.ended_well.eq(works & (found == Fault.NONE) & self.done),
            self.ended_badly.eq(self.ending & since[-1] & self.bus_idle),
        ]
        with m.If(works):
            m.d.sync += self.last_row.eq(self.row)
        m.d.sync += since.eq(Cat(self.ending, since[:-1]))
        with m.If(self.starts):
            m.d.sync += [self.running.eq(1), self.cause.eq(Fault.NONE)]
            m.d.sync += self.halt_error.eq(ErrorCause.NONE)
        with m.If(self.ended_well | self.ended_badly):
            m.d.sync += self.running.eq(0)
        with m.If(self.ended_badly):
            m.d.sync += [self.ending.eq(0), since.eq(0)]
        with m.If(works & (found != Fault.NONE)):
            m.d.sync += [self.ending.eq(1), self.cause.eq(found)]
            with m.If(found == Fault.ENGINE):
                m.d.sync += self.halt_error.eq(self.engine_error)
        return m
