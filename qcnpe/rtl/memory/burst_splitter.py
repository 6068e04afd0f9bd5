"""Splits a transfer into bursts."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.bus import burst_layout, transfer_layout
from qcnpe.spec.memory.timing import BURST_BEATS


class BurstSplitter(Leaf):
    """Splits a transfer into incrementing bursts that AXI4 allows.

    A burst ends where the number of a bus word is a multiple of 256. So it has at most 256 beats,
    and lies within 4 kB, on a bus of at most 128 bits. A transfer without words has no bursts.

    Latency: two cycles from a transfer to its first burst. Throughput: one burst a cycle.

    Parameters
    ----------
    data_bits : width of the bus, 64 or 128
    address_bits : width of an address in bytes

    Ports
    -----
    transfer : in, stream of `transfer_layout(data_bits, address_bits)`, what to split
    stop : in, 1 bit, give up the rest of the transfer; a burst that is offered stays
    bursts : out, stream of `burst_layout(data_bits, address_bits)`, its bursts in order
    idle : out, 1 bit, no burst is left
    """

    def __init__(self, *, data_bits: int, address_bits: int) -> None:
        self.bus = bus = {"data_bits": data_bits, "address_bits": address_bits}
        super().__init__(
            {
                "transfer": In(stream.Signature(transfer_layout(**bus))),
                "stop": In(1),
                "bursts": Out(stream.Signature(burst_layout(**bus))),
                "idle": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return "qcnpe_burst_splitter_{data_bits}_a{address_bits}".format(**self.bus)

    def build(self) -> Module:
        """The words that are left, and a register for the burst that is offered."""
        m = Module()
        left: Any = Signal.like(self.transfer.payload, name="left")
        offered, valid = self.bursts.payload, self.bursts.valid
        to_boundary = ~left.first[: len(offered.length)]
        last, length = Signal.like(left.count), Signal.like(offered.length)
        m.d.comb += [
            last.eq(left.count - 1),
            length.eq(Mux(last < to_boundary, last, to_boundary)),
            self.idle.eq(~valid & (left.count == 0)),
            self.transfer.ready.eq(self.idle),
        ]
        with m.If(self.transfer.valid & self.transfer.ready):
            m.d.sync += left.eq(self.transfer.payload)
        with m.If(~valid | self.bursts.ready):
            m.d.sync += [valid.eq((left.count != 0) & ~self.stop), offered.first.eq(left.first)]
            m.d.sync += offered.length.eq(length)
            with m.If(left.count != 0):
                m.d.sync += left.first.eq(left.first + length + 1)
                m.d.sync += left.count.eq(last - length)
        with m.If(self.stop):
            m.d.sync += left.count.eq(0)
        return m


assert BURST_BEATS * 128 // 8 <= 4096, "a burst may not cross a boundary of 4 kB"
