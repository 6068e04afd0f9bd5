"""The sending half of a UART."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.rate import PHASE_BITS, phase_step

_FRAME_BITS = 10


class Transmitter(Component):
    """Sends octets with a start bit and one stop bit.

    Latency: the start bit begins in the cycle after the octet is taken. Throughput: that of the
    line.

    Parameters
    ----------
    clock_hz, baud : clock and rate of the line, in Hz

    Ports
    -----
    octets : in, stream of 8 bits, octets to send
    line : out, 1 bit, the pin, high when idle
    """

    def __init__(self, *, clock_hz: float, baud: int) -> None:
        self._step = phase_step(clock_hz=clock_hz, baud=baud)
        super().__init__({"octets": In(stream.Signature(8)), "line": Out(1, init=1)})  # type: ignore[call-arg]

    def elaborate(self, platform: object) -> Module:
        """A shift register filled with ones, the level of an idle line."""
        m = Module()
        shift = Signal(_FRAME_BITS, init=-1)
        left = Signal(range(_FRAME_BITS + 1))
        phase, sum_of_phases = Signal(PHASE_BITS), Signal(PHASE_BITS + 1)
        m.d.comb += [
            sum_of_phases.eq(phase + self._step),
            self.octets.ready.eq(left == 0),
            self.line.eq(shift[0]),
        ]
        with m.If(left == 0):
            m.d.sync += phase.eq(0)
            with m.If(self.octets.valid):
                m.d.sync += [
                    shift.eq(Cat(Const(0, 1), self.octets.payload, Const(1, 1))),
                    left.eq(_FRAME_BITS),
                ]
        with m.Else():
            m.d.sync += phase.eq(sum_of_phases[:-1])
            with m.If(sum_of_phases[-1]):
                m.d.sync += [shift.eq(Cat(shift[1:], Const(1, 1))), left.eq(left - 1)]
        return m
