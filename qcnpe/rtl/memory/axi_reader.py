"""The reading half of the AXI4 manager."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import RegisterQueue
from qcnpe.rtl.memory.burst_splitter import BurstSplitter
from qcnpe.rtl.memory.bus import (
    COUNT_BITS,
    Response,
    drive_request,
    read_ports,
    transfer_layout,
)
from qcnpe.spec.memory.timing import BURST_BEATS, READ_QUEUE


class AxiReader(Component):
    """Reads transfers from external memory, all of their bursts outstanding at once.

    The next transfer is taken when all bursts of this one were requested. So the latency of the
    memory is paid once, whatever the length and the number of the transfers. After an error
    response, or `abort`, no further burst is requested, those that were are received, words that
    have not left are discarded, and so the transfers end. Beats are counted; `rlast` and `rid` are
    ignored, since all bursts have one identifier and come in order (IHI 0022, A5.3.1).

    Latency: two cycles from a transfer to its first request; a word leaves in the cycle after
    that in which it is received. Throughput: one word a cycle.

    Parameters
    ----------
    data_bits : width of the bus, 64 or 128
    address_bits : width of an address in bytes

    Ports
    -----
    transfer : in, stream of `transfer_layout(data_bits, address_bits)`, what to read
    words : out, stream of `data_bits` bits, the words of the transfers in their order
    abort : in, 1 bit, give up all transfers
    failed : out, 1 bit, high for one cycle: a word came with an error, the first one
    done : out, 1 bit, high for one cycle: all transfers have ended, and their words have left
    response : out, `Response`, with `done`: the first error response, or OKAY
    idle : out, 1 bit, there is no transfer
    axi_* : bus, AXI4 manager, the channels on which it reads
    """

    def __init__(self, *, data_bits: int, address_bits: int) -> None:
        self.bus = {"data_bits": data_bits, "address_bits": address_bits}
        ports = {
            "transfer": In(stream.Signature(transfer_layout(**self.bus))),
            "words": Out(stream.Signature(data_bits)),
            "abort": In(1),
            "failed": Out(1),
            "done": Out(1),
            "response": Out(Response),
            "idle": Out(1),
        }
        super().__init__(ports | read_ports("axi", **self.bus))

    def elaborate(self, platform: object) -> Module:
        """The splitter offers requests; a counter of beats that are to come; a queue for words."""
        m = Module()
        m.submodules.splitter = splitter = BurstSplitter(**self.bus)
        m.submodules.queue = queue = RegisterQueue(width=len(self.axi_rdata), depth=READ_QUEUE)
        active, gives_up, received = Signal(), Signal(), Signal()
        open_, requested = Signal(), Signal(COUNT_BITS)
        m.d.comb += [
            open_.eq(~splitter.idle | (requested != 0) | (queue.level != 0)),
            splitter.transfer.payload.eq(self.transfer.payload),
            splitter.transfer.valid.eq(self.transfer.valid & ~gives_up),
            self.transfer.ready.eq(splitter.transfer.ready & ~gives_up),
            self.idle.eq(~open_ & ~active),
            self.done.eq(active & ~open_),
            splitter.stop.eq(gives_up),
            self.axi_arvalid.eq(splitter.bursts.valid),
            splitter.bursts.ready.eq(self.axi_arready),
        ]
        drive_request(m, self, "r", splitter.bursts.payload)
        m.d.comb += [
            self.axi_rready.eq(queue.i.ready | gives_up),
            received.eq(self.axi_rvalid & self.axi_rready),
            queue.i.payload.eq(self.axi_rdata),
            queue.i.valid.eq(self.axi_rvalid & ~gives_up & ~self.axi_rresp[1]),
            self.words.payload.eq(queue.o.payload),
            self.words.valid.eq(queue.o.valid & ~gives_up),
            queue.o.ready.eq(self.words.ready | gives_up),
            self.failed.eq(received & self.axi_rresp[1] & ~gives_up),
        ]
        asked = Signal(range(BURST_BEATS + 1))
        with m.If(self.axi_arvalid & self.axi_arready):
            m.d.comb += asked.eq(splitter.bursts.payload.length + 1)
        m.d.sync += [requested.eq(requested + asked - received), active.eq(open_)]
        with m.If(self.idle):
            m.d.sync += self.response.eq(Response.OKAY)
        with m.If(self.failed):
            m.d.sync += self.response.eq(self.axi_rresp)
        with m.If(~open_):
            m.d.sync += gives_up.eq(0)
        with m.Elif(self.abort | self.failed):
            m.d.sync += gives_up.eq(1)
        with m.If(self.transfer.valid & self.transfer.ready):
            m.d.sync += active.eq(1)
        return m
