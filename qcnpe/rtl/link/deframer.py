"""From octets of the line to octets of frames."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.frames import CRC_BYTES, ESCAPE, ESCAPE_MASK, FLAG


class Deframer(Component):
    """Removes flags, escapes and the CRC.

    The last octets before a flag are the CRC, which is known only when the flag arrives. So octets
    are delayed by one more than the CRC has, and the octet that leaves with the flag is the last
    one of its frame. Runs of fewer octets are not frames; they produce no output.

    Latency: `CRC_BYTES + 1` octets. Throughput: one octet in two cycles, without flow control: the
    CRC is updated in the cycle after its octet.

    Parameters
    ----------
    none

    Ports
    -----
    octet : in, 8 bits, from the line
    octet_valid : in, 1 bit, high for one cycle with each octet
    payload : out, 8 bits, an octet of a frame
    valid : out, 1 bit, high for one cycle with each octet of a frame
    last : out, 1 bit, it is the last one of its frame
    good : out, 1 bit, valid with `last`: the CRC is right
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "octet": In(8),
                "octet_valid": In(1),
                "payload": Out(8),
                "valid": Out(1),
                "last": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A delay line beside the CRC."""
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=8).create()
        held = Signal(8 * (CRC_BYTES + 1))
        count = Signal(range(CRC_BYTES + 2))
        escaped, full = Signal(), Signal()
        flag = self.octet_valid & (self.octet == FLAG)
        escape = self.octet_valid & (self.octet == ESCAPE)
        plain = self.octet_valid & ~flag & ~escape
        m.d.comb += [
            full.eq(count == CRC_BYTES + 1),
            crc.data.eq(self.octet ^ escaped * ESCAPE_MASK),
            crc.valid.eq(plain),
            crc.start.eq(flag),
            self.payload.eq(held[:8]),
            self.valid.eq(full & (plain | flag)),
            self.last.eq(flag),
            self.good.eq(crc.match_detected & ~escaped),
        ]
        with m.If(flag):
            m.d.sync += [count.eq(0), escaped.eq(0)]
        with m.If(escape):
            m.d.sync += escaped.eq(1)
        with m.If(plain):
            m.d.sync += [held.eq(Cat(held[8:], crc.data)), escaped.eq(0)]
            with m.If(~full):
                m.d.sync += count.eq(count + 1)
        return m
