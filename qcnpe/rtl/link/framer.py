"""From octets of frames to octets of the line."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.frames import CRC_BYTES, ESCAPE, ESCAPE_MASK, FLAG

FRAMED_OCTET = data.StructLayout({"octet": 8, "last": 1})
"""An octet of a frame, and whether it is the last one."""


class Framer(Component):
    """Adds flags, escapes and the CRC.

    Latency: one flag before the first octet. Throughput: one octet a cycle, less the cycles for
    escapes, flags and the CRC. `last` is read when an octet is taken; it may change before.

    Parameters
    ----------
    none

    Ports
    -----
    frames : in, stream of `FRAMED_OCTET`, octets of frames
    octets : out, stream of 8 bits, to the line
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "frames": In(stream.Signature(FRAMED_OCTET)),
                "octets": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Flag, octets, CRC, flag."""
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=8).create()
        plain, moved, place = Signal(8), Signal(), Signal(range(CRC_BYTES))
        moves = self._build_stuffing(m, plain, moved)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.comb += [
                    crc.start.eq(1),
                    self.octets.valid.eq(self.frames.valid),
                    self.octets.payload.eq(FLAG),
                ]
                with m.If(self.frames.valid & self.octets.ready):
                    m.next = "FRAME"
            with m.State("FRAME"):
                m.d.comb += [
                    plain.eq(self.frames.payload.octet),
                    moves.eq(self.frames.valid),
                    self.frames.ready.eq(moved),
                    crc.data.eq(plain),
                    crc.valid.eq(moved),
                ]
                with m.If(moved & self.frames.payload.last):
                    m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += [plain.eq(crc.crc.word_select(place, 8)), moves.eq(1)]
                with m.If(moved):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == CRC_BYTES - 1):
                        m.next = "FLAG"
            with m.State("FLAG"):
                m.d.comb += [self.octets.valid.eq(1), self.octets.payload.eq(FLAG)]
                with m.If(self.octets.ready):
                    m.next = "IDLE"
        return m

    def _build_stuffing(self, m: Module, plain: Signal, moved: Signal) -> Signal:
        """A flag or an escape in the data takes two cycles; `moved` is high in the last one."""
        moves, escaped, special = Signal(), Signal(), Signal()
        m.d.comb += special.eq((plain == FLAG) | (plain == ESCAPE))
        with m.If(moves):
            changed = Mux(escaped, plain ^ ESCAPE_MASK, ESCAPE)
            m.d.comb += [
                self.octets.valid.eq(1),
                self.octets.payload.eq(Mux(special, changed, plain)),
                moved.eq(self.octets.ready & (escaped | ~special)),
            ]
            with m.If(self.octets.ready):
                m.d.sync += escaped.eq(special & ~escaped)
        return moves
