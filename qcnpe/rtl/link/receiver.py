"""The receiving half of a UART."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.rate import PHASE_BITS, phase_step

_DATA_BITS = 8


class Receiver(Component):
    """Samples each bit of the line in its middle: 8 data bits, no parity, one stop bit.

    An octet without a start or a stop bit is dropped; the CRC of its frame detects that.

    Latency: `octet` is valid in the middle of the stop bit. Throughput: that of the line, without
    flow control.

    Parameters
    ----------
    clock_hz, baud : clock and rate of the line, in Hz

    Ports
    -----
    line : in, 1 bit, the pin, high when idle; need not be synchronous
    octet : out, 8 bits, a received octet
    valid : out, 1 bit, high for one cycle with each octet
    """

    def __init__(self, *, clock_hz: float, baud: int) -> None:
        self._step = phase_step(clock_hz=clock_hz, baud=baud)
        super().__init__({"line": In(1, init=1), "octet": Out(_DATA_BITS), "valid": Out(1)})  # type: ignore[call-arg]

    def elaborate(self, platform: object) -> Module:
        """Half a bit after the falling edge, then bit by bit."""
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.line, line, init=1)
        phase, tick = Signal(PHASE_BITS), Signal()
        bit = Signal(range(_DATA_BITS + 2))
        sum_of_phases = Signal(PHASE_BITS + 1)
        m.d.comb += [sum_of_phases.eq(phase + self._step), tick.eq(sum_of_phases[-1])]
        m.d.sync += [phase.eq(sum_of_phases[:-1]), self.valid.eq(0)]
        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.sync += [phase.eq(1 << (PHASE_BITS - 1)), bit.eq(0)]
                with m.If(~line):
                    m.next = "OCTET"
            with m.State("OCTET"):
                with m.If(tick):
                    m.d.sync += bit.eq(bit + 1)
                    with m.If(bit == 0):
                        with m.If(line):
                            m.next = "IDLE"
                    with m.Elif(bit <= _DATA_BITS):
                        m.d.sync += self.octet.eq(Cat(self.octet[1:], line))
                    with m.Else():
                        m.d.sync += self.valid.eq(line)
                        m.next = "BREAK"
                        # The next start bit may be early: the sender has another clock.
                        with m.If(line):
                            m.next = "IDLE"
            with m.State("BREAK"):
                # A line that stays low is not a start bit.
                with m.If(line):
                    m.next = "IDLE"
        return m
