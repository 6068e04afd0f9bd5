"""An engine behind a UART: what is in the FPGA of a board."""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal
from amaranth.lib.wiring import In, Out, connect

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.autonomous_core import AutonomousCore
from qcnpe.rtl.link.core import OctetCore
from qcnpe.rtl.link.uart import UartPhy
from qcnpe.spec.link import LinkConfig


class Bridge(Component):
    """The octet core and its physical layer. Wiring only.

    Another physical layer takes the place of `UartPhy` here; the core stays as it is.

    Parameters
    ----------
    link : engine, clock, rate and memories

    Ports
    -----
    clk : in, 1 bit, clock of everything
    rst : in, 1 bit, synchronous reset of everything
    rx : in, 1 bit, pin of the UART, high when idle
    tx : out, 1 bit, pin of the UART, high when idle
    busy, error : out, 1 bit each, as in the engine's status register, for two LEDs
    """

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "clk": In(1),
                "rst": In(1),
                "rx": In(1, init=1),  # type: ignore[call-arg]
                "tx": Out(1, init=1),  # type: ignore[call-arg]
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Pins to the physical layer, octets to the core."""
        m = Module()
        m.domains.line = ClockDomain("line", local=True)
        phy = UartPhy(clock_hz=self.link.clock_hz, baud=self.link.baud)
        m.submodules.phy = DomainRenamer("line")(phy)
        kind = OctetCore if self.link.memory is None else AutonomousCore
        m.submodules.core = core = kind(self.link)
        connect(m, core.sent, phy.sent)
        m.d.comb += [
            ClockSignal("line").eq(self.clk),
            ResetSignal("line").eq(self.rst),
            phy.rx.eq(self.rx),
            core.received.eq(phy.received),
            core.received_valid.eq(phy.received_valid),
            self.tx.eq(phy.tx),
            self.busy.eq(core.busy),
            self.error.eq(core.error),
        ]
        return m
