"""From octets of the line to the octets of frames."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.frames import CRC_BYTES, ESCAPE, ESCAPE_MASK, FLAG


class Deframer(Component):
    """Takes flags, escapes and the CRC off.

    The last octets before a flag are the CRC; until the flag comes, nobody can know. So octets
    leave late by one more than the CRC has, and the one that leaves with the flag is the frame's
    last. Runs of fewer octets are not frames and leave nothing.

    Latency: `CRC_BYTES + 1` octets. Throughput: one octet in two cycles, no flow control: the CRC
    of an octet is there in the cycle after it.

    Parameters
    ----------
    none

    Ports
    -----
    octet, octet_valid : from the line
    payload, valid : an octet of a frame, for one cycle
    last, good : it is the frame's last one, and the CRC is right
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
