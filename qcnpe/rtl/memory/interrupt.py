"""The interrupt line."""

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component


class Interrupt(Component):
    """Remembers causes and holds the line while a cause that the mask lets through is set.

    A cause that occurs in the cycle in which it is cleared stays set.

    Latency: the line is high from the cycle after that of the cause on.

    Parameters
    ----------
    width : number of causes

    Ports
    -----
    occurs : in, `width` bits, a cause occurs in this cycle
    clear : in, `width` bits, clear these causes
    mask : in, `width` bits, causes that reach the line
    causes : out, `width` bits, those that have occurred and were not cleared
    line : out, 1 bit, to the processor
    """

    def __init__(self, *, width: int) -> None:
        super().__init__(
            {
                "occurs": In(width),
                "clear": In(width),
                "mask": In(width),
                "causes": Out(width),
                "line": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A register of causes."""
        m = Module()
        m.d.sync += self.causes.eq(self.causes & ~self.clear | self.occurs)
        m.d.comb += self.line.eq((self.causes & self.mask).any())
        return m
