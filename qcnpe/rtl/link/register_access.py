"""The engine's registers, for the executor."""

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.axi import lite_ports
from qcnpe.rtl.component import Component
from qcnpe.spec.registers import REGISTER_BYTES


class RegisterAccess(Component):
    """An AXI4-Lite master that does one access at a time.

    Latency: `done` comes with the bus's answer. An access that the bus refuses does nothing and
    reads zero.

    Parameters
    ----------
    address_bits : of the bus

    Ports
    -----
    axi_* : the bus
    address, data, write : what to do; held until `done`
    start : for as long as the access lasts
    done : it is over with this cycle
    value : what was read, while `done`
    """

    def __init__(self, *, address_bits: int) -> None:
        bits = 8 * REGISTER_BYTES
        bus = {name: member.flip() for name, member in lite_ports("axi", address_bits).items()}
        super().__init__(
            bus
            | {
                "address": In(address_bits),
                "data": In(bits),
                "write": In(1),
                "start": In(1),
                "done": Out(1),
                "value": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ask, then wait for the answer."""
        m = Module()
        m.d.comb += [
            self.axi_awaddr.eq(self.address),
            self.axi_araddr.eq(self.address),
            self.axi_wdata.eq(self.data),
            self.axi_wstrb.eq(-1),
            self.value.eq(self.axi_rdata),
        ]
        with m.FSM(name="state"):
            with m.State("ASK"):
                m.d.comb += [
                    self.axi_awvalid.eq(self.start & self.write),
                    self.axi_wvalid.eq(self.start & self.write),
                    self.axi_arvalid.eq(self.start & ~self.write),
                ]
                taken = self.axi_awready & self.axi_wready
                with m.If(self.start & (taken & self.write | self.axi_arready & ~self.write)):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    self.axi_bready.eq(1),
                    self.axi_rready.eq(1),
                    self.done.eq(self.axi_bvalid | self.axi_rvalid),
                ]
                with m.If(self.done):
                    m.next = "ASK"
        return m
