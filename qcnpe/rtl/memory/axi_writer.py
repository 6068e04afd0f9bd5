"""The writing half of the AXI4 manager."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.memory.burst_splitter import BurstSplitter
from qcnpe.rtl.memory.bus import Response, drive_request, transfer_layout, write_ports
from qcnpe.spec.memory.timing import BURST_BEATS

OUTSTANDING_WRITES = 4
"""Bursts whose data may be waiting to be sent while further ones are requested."""


class AxiWriter(Component):
    """Writes a transfer to external memory.

    A burst's data do not wait until its request is taken, as AXI requires. After an error response,
    or `abort`, no further burst is requested, and the beats that the requested ones still need are
    sent with all strobes low; words that are left over stay with their sender.

    Latency: two cycles from a transfer to its first request, one more to its first data.
    Throughput: one word a cycle.

    Parameters
    ----------
    data_bits : width of the bus, 64 or 128
    address_bits : width of an address in bytes

    Ports
    -----
    transfer : in, stream of `transfer_layout(data_bits, address_bits)`, what to write
    words : in, stream of `data_bits` bits, the words of the transfer in their order
    abort : in, 1 bit, give up the transfer
    done : out, 1 bit, high for one cycle: every burst has been answered
    response : out, `Response`, with `done`: the first error response, or OKAY
    idle : out, 1 bit, there is no transfer
    axi_* : bus, AXI4 manager, the channels on which it writes
    """

    def __init__(self, *, data_bits: int, address_bits: int) -> None:
        self.bus = {"data_bits": data_bits, "address_bits": address_bits}
        ports = {
            "transfer": In(stream.Signature(transfer_layout(**self.bus))),
            "words": In(stream.Signature(data_bits)),
            "abort": In(1),
            "done": Out(1),
            "response": Out(Response),
            "idle": Out(1),
        }
        super().__init__(ports | write_ports("axi", **self.bus))

    def elaborate(self, platform: object) -> Module:
        """Each burst goes to the address channel and, through a queue, to the data channel."""
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter(**self.bus)
        active, gives_up = Signal(), Signal()
        m.d.comb += [
            splitter.transfer.payload.eq(self.transfer.payload),
            splitter.transfer.valid.eq(self.transfer.valid & ~active),
            self.transfer.ready.eq(splitter.transfer.ready & ~active),
            self.idle.eq(~active),
            splitter.stop.eq(gives_up),
        ]
        with m.If(self.transfer.valid & self.transfer.ready):
            m.d.sync += [active.eq(1), self.response.eq(Response.OKAY)]
        with m.If(active & self.abort):
            m.d.sync += gives_up.eq(1)
        with m.If(self.axi_bvalid & self.axi_bresp[1] & ~gives_up):
            m.d.sync += [gives_up.eq(1), self.response.eq(self.axi_bresp)]
        with m.If(self.done):
            m.d.sync += [active.eq(0), gives_up.eq(0)]
        accepted = self._build_requests(m, splitter, gives_up)
        unanswered = Signal(len(self.transfer.payload.count))
        m.d.sync += unanswered.eq(unanswered + accepted - self.axi_bvalid)
        m.d.comb += [
            self.axi_bready.eq(1),
            self.done.eq(active & splitter.idle & (unanswered == 0)),
        ]
        return m

    def _build_requests(self, m: Module, splitter: BurstSplitter, gives_up: Signal) -> Signal:
        """Accept a burst when its request can be offered and its length be queued."""
        m.submodules.lengths = lengths = Fifo(
            width=(BURST_BEATS - 1).bit_length(), depth=OUTSTANDING_WRITES
        )
        request, accepted = Signal.like(splitter.bursts.payload), Signal()
        m.d.comb += [
            splitter.bursts.ready.eq(~self.axi_awvalid & lengths.i.ready),
            accepted.eq(splitter.bursts.valid & splitter.bursts.ready),
            lengths.i.payload.eq(splitter.bursts.payload.length),
            lengths.i.valid.eq(accepted),
        ]
        drive_request(m, self, "w", request)
        with m.If(accepted):
            m.d.sync += [self.axi_awvalid.eq(1), request.eq(splitter.bursts.payload)]
        with m.Elif(self.axi_awready):
            m.d.sync += self.axi_awvalid.eq(0)
        self._build_data(m, lengths, gives_up)
        return accepted

    def _build_data(self, m: Module, lengths: Fifo, gives_up: Signal) -> None:
        """A register for the beat that is offered, and the number of its burst's beats before."""
        sent, room, loads = Signal.like(lengths.o.payload, name="sent"), Signal(), Signal()
        last = Signal()
        m.d.comb += [
            room.eq(~self.axi_wvalid | self.axi_wready),
            loads.eq(lengths.o.valid & room & (self.words.valid | gives_up)),
            last.eq(sent == lengths.o.payload),
            lengths.o.ready.eq(loads & last),
            self.words.ready.eq(lengths.o.valid & room & ~gives_up),
        ]
        with m.If(room):
            m.d.sync += self.axi_wvalid.eq(loads)
        with m.If(loads):
            m.d.sync += [
                self.axi_wdata.eq(self.words.payload),
                self.axi_wstrb.eq((~gives_up).replicate(len(self.axi_wstrb))),
                self.axi_wlast.eq(last),
                sent.eq(sent + 1),
            ]
            with m.If(last):
                m.d.sync += sent.eq(0)
        return
