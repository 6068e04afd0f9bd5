"""Where the walks of a `TILES` are."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.layouts import OFFSET_ROW_BITS, WALK_LAYOUT, offset_layout
from qcnpe.rtl.memory.sums import add_places
from qcnpe.spec.memory.config import MemoryConfig


class WalkState(Component):
    """Holds the offset of each walk, and adds its step once in each repetition.

    The step of a walk is added when the walk is used first in a repetition, so that one adder
    serves all walks. Every walk is used in each repetition, or in none.

    Latency: none; a walk that is loaded or used in a cycle has its new state in the next one.

    Parameters
    ----------
    config : the memories
    depth : number of walks, a power of two

    Ports
    -----
    load : in, 1 bit, take the state of walk `number` from `walk`
    walk : in, `WALK_LAYOUT`, a walk entry
    number : in, `range(depth)`, the walk that is loaded or used
    use : in, 1 bit, the walk is used
    odd : in, 1 bit, the repetition is an odd one, counted from zero
    offset : out, `offset_layout(config)`, the offset of the walk in this repetition
    """

    def __init__(self, config: MemoryConfig, *, depth: int) -> None:
        self.config, self.depth = config, depth
        super().__init__(
            {
                "load": In(1),
                "walk": In(WALK_LAYOUT),
                "number": In(range(depth)),
                "use": In(1),
                "odd": In(1),
                "offset": Out(offset_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """What a walk adds never changes while it is used; where it is does."""
        m = Module()
        bank_bits = self.config.bank_bits
        step = data.StructLayout({"bank": bank_bits, "row": 16, "words": 12})
        place = data.StructLayout({"bank": bank_bits, "row": OFFSET_ROW_BITS, "odd": 1})
        steps, step_write = self._build_store(m, "steps", step)
        places, place_write = self._build_store(m, "places", place)
        bank, row = Signal(bank_bits), Signal(OFFSET_ROW_BITS)
        stepped = add_places(m, "stepped", places, steps, steps.words)
        moves = places.odd != self.odd
        m.d.comb += [
            bank.eq(Mux(moves, stepped.bank, places.bank)),
            row.eq(Mux(moves, stepped.row, places.row)),
            self.offset.bank.eq(bank),
            self.offset.row.eq(row),
            self.offset.words.eq(steps.words),
            step_write.en.eq(self.load),
            step_write.data.bank.eq(self.walk.step_bank),
            step_write.data.row.eq(self.walk.step_row),
            step_write.data.words.eq(self.walk.words),
            place_write.en.eq(self.load | self.use),
            place_write.data.bank.eq(Mux(self.load, self.walk.start_bank, bank)),
            place_write.data.row.eq(Mux(self.load, self.walk.start_row, row)),
            place_write.data.odd.eq(~self.load & self.odd),
        ]
        return m

    def _build_store(self, m: Module, name: str, layout: data.StructLayout) -> tuple[Any, Any]:
        """Registers, or on an FPGA distributed memory: read in the cycle of the address."""
        store: Any = Memory(shape=layout, depth=self.depth, init=[])
        m.submodules[name] = store
        read, write = store.read_port(domain="comb"), store.write_port()
        m.d.comb += [read.addr.eq(self.number), write.addr.eq(self.number)]
        return read.data, write
