"""The design in a board's FPGA: clock, pins, and the bridge with its engine."""

from typing import Any

from amaranth.hdl import Elaboratable, Instance, Module, Signal

from qcnpe.boards.catalog import Board
from qcnpe.boards.clock import add_clock
from qcnpe.boards.family import Family
from qcnpe.generate import component_verilog
from qcnpe.rtl.block_queue import FpgaLibrary
from qcnpe.rtl.link.bridge import Bridge
from qcnpe.spec.link import LinkConfig

BRIDGE = "qcnpe_board"
"""Name of the bridge's Verilog module, in the FPGA and in simulation."""


def bridge_verilog(link: LinkConfig) -> str:
    """The bridge with its engine, as Verilog: for simulation."""
    return component_verilog(Bridge(link), BRIDGE, FpgaLibrary())


def bridge_rtlil(link: LinkConfig, family: Family) -> str:
    """The bridge as RTLIL, which keeps the attributes of memories: for an FPGA."""
    library, bridge = FpgaLibrary(multiplier_bits=family.multiplier_bits), Bridge(link)
    top = library.convert(bridge, BRIDGE, bridge)
    return "".join((*library.modules.values(), top))


class BoardDesign(Elaboratable):
    """The bridge on the pins of a board: its UART and two of its LEDs, busy and error.

    Parameters
    ----------
    board : the board, with its engine
    """

    def __init__(self, board: Board) -> None:
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        link = self.board.link
        platform.add_file(f"{BRIDGE}.il", bridge_rtlil(link, self.board.family))
        clock, not_locked = add_clock(m, platform, self.board.family, link.clock_hz)
        uart = platform.request("uart", 0)
        busy, error, rx = Signal(), Signal(), Signal(init=1)
        m.d.comb += rx.eq(uart.rx.i)
        m.submodules.bridge = Instance(
            BRIDGE,
            i_clk=clock,
            i_rst=not_locked,
            i_rx=rx,
            o_tx=uart.tx.o,
            o_busy=busy,
            o_error=error,
        )
        for level, number in ((busy, 0), (error, 1)):
            # A board has LEDs of one colour or of three.
            plain = ("led", number) in platform.resources
            pin = platform.request("led" if plain else "rgb_led", number)
            pin = pin if plain else pin.r
            m.d.comb += pin.o.eq(level)
        return m
