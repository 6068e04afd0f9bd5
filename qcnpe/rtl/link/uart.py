"""A UART as the physical layer of a board's link."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.receiver import Receiver
from qcnpe.rtl.link.transmitter import Transmitter


class UartPhy(Component):
    """Octets from and to the two pins of a UART: 8 data bits, no parity, one stop bit.

    A physical layer has the ports `received`, `received_valid` and `sent`, and pins of its own.
    Received octets cannot be held up; octets may be lost or changed on the line.

    Latency and throughput: those of `Receiver` and `Transmitter`.

    Parameters
    ----------
    clock_hz, baud : clock and rate of the line, in Hz

    Ports
    -----
    received : out, 8 bits, an octet from the line
    received_valid : out, 1 bit, high for one cycle with each octet
    sent : in, stream of 8 bits, octets to the line
    rx : in, 1 bit, the pin, high when idle; need not be synchronous
    tx : out, 1 bit, the pin, high when idle
    """

    def __init__(self, *, clock_hz: float, baud: int) -> None:
        self.clock_hz, self.baud = clock_hz, baud
        super().__init__(
            {
                "received": Out(8),
                "received_valid": Out(1),
                "sent": In(stream.Signature(8)),
                "rx": In(1, init=1),  # type: ignore[call-arg]
                "tx": Out(1, init=1),  # type: ignore[call-arg]
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The two halves."""
        m = Module()
        receiver = Receiver(clock_hz=self.clock_hz, baud=self.baud)
        transmitter = Transmitter(clock_hz=self.clock_hz, baud=self.baud)
        m.submodules.receiver, m.submodules.transmitter = receiver, transmitter
        connect(m, flipped(self.sent), transmitter.octets)
        m.d.comb += [
            receiver.line.eq(self.rx),
            self.received.eq(receiver.octet),
            self.received_valid.eq(receiver.valid),
            self.tx.eq(transmitter.line),
        ]
        return m
