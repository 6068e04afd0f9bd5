"""The places that the lanes use in a cycle."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.layouts import OFFSET_ROW_BITS, lane_layout, offset_layout, place_layout
from qcnpe.spec.memory.config import MemoryConfig


class LanePlaces(Leaf):
    """Adds an offset to the places of a lane entry, for the lanes of one pass.

    What is common to all lanes is added once: a lane has one adder for its bank and one for its
    row.

    Latency: none.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    lanes : in, `lane_layout(config)`, the lane entry
    offset : in, `offset_layout(config)`, the offset from its places
    rows : in, 16 bits, rows that are added
    pass_number : in, `config.pass_bits` bits, the pass
    places : out, `data.ArrayLayout(place_layout(config), config.engine.rows)`, of each lane
    """

    clocked = False

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        super().__init__(
            {
                "lanes": In(lane_layout(config)),
                "offset": In(offset_layout(config)),
                "rows": In(16),
                "pass_number": In(config.pass_bits),
                "places": Out(data.ArrayLayout(place_layout(config), config.engine.rows)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        config = self.config
        return (
            f"qcnpe_lane_places_{config.engine.rows}_b{config.bank_bits}_d{config.activation_rows}"
        )

    def build(self) -> Module:
        """Two rows are prepared for all lanes: one for those whose bank wraps around."""
        m = Module()
        straight, wrapped = Signal(OFFSET_ROW_BITS + 1), Signal(OFFSET_ROW_BITS + 1)
        m.d.comb += [
            straight.eq(self.offset.row + self.rows),
            wrapped.eq(straight + self.offset.words),
        ]
        for number in range(self.config.engine.rows):
            lane: Any = self.lanes.rows[number]
            place: Any = self.places[number]
            bank = Signal(self.config.bank_bits + 1, name=f"bank_{number}")
            row = Signal(OFFSET_ROW_BITS + 2, name=f"row_{number}")
            m.d.comb += [
                bank.eq(lane.bank + self.offset.bank),
                row.eq(lane.row + Mux(bank[-1], wrapped, straight)),
                place.valid.eq(lane.valid & (lane.pass_number == self.pass_number)),
                place.bank.eq(bank),
                place.row.eq(row),
                place.outside.eq(row >= self.config.activation_rows),
            ]
        return m
