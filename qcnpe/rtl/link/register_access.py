"""Access of the executor to the engine's registers."""

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.axi import lite_ports
from qcnpe.rtl.component import Component
from qcnpe.spec.registers import REGISTER_BYTES


class RegisterAccess(Component):
    """An AXI4-Lite manager that makes one access at a time.

    The subordinate takes address and data of a write in the same cycle, as `AxiLiteRegisters` does.
    An access that it answers with an error has no effect and reads zero.

    Latency: `done` is high with the response. Throughput: one access in the cycles of the bus and
    one more.

    Parameters
    ----------
    address_bits : of the bus

    Ports
    -----
    axi_* : bus, AXI4-Lite manager, 32 bits of data
    address : in, `address_bits` bits, held until `done`
    data : in, 32 bits, to write, held until `done`
    write : in, 1 bit, write, not read; held until `done`
    start : in, 1 bit, high until `done`
    done : out, 1 bit, the access ends with this cycle
    value : out, 32 bits, the register that was read, valid with `done`
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
        """Send the request, then wait for the response."""
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
