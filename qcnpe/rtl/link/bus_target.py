"""The external memory of an autonomous engine, which is the host at the other end of the link."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.bus import Response, read_ports, write_ports
from qcnpe.spec.memory.config import MemoryConfig


class BusTarget(Component):
    """An AXI4 subordinate without a memory: reads are answered by one stream, writes go to another.

    Both are in the order of the bus; addresses are ignored, since the host knows which descriptors
    are executed. One burst of a kind is served at a time; no answer is an error.

    Latency: a word that is read leaves in the cycle in which it comes; a word that is written
    likewise. Throughput: one word a cycle in each direction, and two cycles between bursts.

    Parameters
    ----------
    config : the memories of the engine, for the shape of the bus

    Ports
    -----
    reads : in, stream of `config.bus_bits` bits, what is read
    writes : out, stream of `config.bus_bits` bits, what is written
    axi_* : bus, AXI4 subordinate
    """

    def __init__(self, config: MemoryConfig) -> None:
        bus = {"data_bits": config.bus_bits, "address_bits": config.address_bits}
        ports = read_ports("axi", **bus) | write_ports("axi", **bus)
        super().__init__(
            {name: member.flip() for name, member in ports.items()}
            | {
                "reads": In(stream.Signature(config.bus_bits)),
                "writes": Out(stream.Signature(config.bus_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A counter of the burst's beats for reads; a state for writes."""
        m = Module()
        self._build_reads(m)
        self._build_writes(m)
        return m

    def _build_reads(self, m: Module) -> None:
        active, left = Signal(), Signal.like(self.axi_arlen)
        m.d.comb += [
            self.axi_arready.eq(~active),
            self.axi_rvalid.eq(active & self.reads.valid),
            self.reads.ready.eq(active & self.axi_rready),
            self.axi_rdata.eq(self.reads.payload),
            self.axi_rlast.eq(left == 0),
            self.axi_rresp.eq(Response.OKAY),
            self.axi_rid.eq(0),
        ]
        with m.If(self.axi_arvalid & self.axi_arready):
            m.d.sync += [active.eq(1), left.eq(self.axi_arlen)]
        with m.If(self.axi_rvalid & self.axi_rready):
            m.d.sync += [left.eq(left - 1), active.eq(~self.axi_rlast)]

    def _build_writes(self, m: Module) -> None:
        m.d.comb += [
            self.writes.payload.eq(self.axi_wdata),
            self.axi_bresp.eq(Response.OKAY),
            self.axi_bid.eq(0),
        ]
        with m.FSM(name="write"):
            with m.State("REQUEST"):
                m.d.comb += self.axi_awready.eq(1)
                with m.If(self.axi_awvalid):
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += [
                    self.writes.valid.eq(self.axi_wvalid),
                    self.axi_wready.eq(self.writes.ready),
                ]
                with m.If(self.axi_wvalid & self.axi_wready & self.axi_wlast):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.axi_bvalid.eq(1)
                with m.If(self.axi_bready):
                    m.next = "REQUEST"
