"""The write-back unit: results to the activation banks."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import result_beat
from qcnpe.rtl.memory.bank_request import BankRequest
from qcnpe.rtl.memory.gather import Gather
from qcnpe.rtl.memory.lane_places import LanePlaces
from qcnpe.rtl.memory.layouts import (
    WRITE_LAYOUT,
    bank_writes_layout,
    lane_layout,
    place_layout,
    step_layout,
)
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import MemoryConfig


class WriteBack(Component):
    """Executes writes on the beats of results: gathers narrow copies, and stores words.

    Latency: the banks are written in the cycle after that in which a write takes its pass.
    Throughput: one pass of a write a cycle; a write that only gathers has one.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    steps : in, stream of `step_layout(config, WRITE_LAYOUT, weighted=False)`, of the `Walker`
    lanes : in, `lane_layout(config)`, the lane entry of the step
    results : in, stream of `result_beat(config.engine)`, of the engine
    banks : out, `bank_writes_layout(config)`, writes of this cycle
    writes : out, 1 bit, the banks are written
    outside, conflict : out, 1 bit each, a fault in this cycle
    idle : out, 1 bit, nothing is being written
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        super().__init__(
            {
                "steps": In(stream.Signature(step_layout(config, WRITE_LAYOUT, weighted=False))),
                "lanes": In(lane_layout(config)),
                "results": In(stream.Signature(result_beat(config.engine))),
                "banks": Out(bank_writes_layout(config)),
                "writes": Out(1),
                "outside": Out(1),
                "conflict": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Gathering and places in one cycle, the crossbar in the next."""
        m = Module()
        m.submodules.lane_places = lane_places = LanePlaces(self.config)
        rows = self.config.engine.rows
        step, number = self.steps.payload.entry, Signal(self.config.pass_bits)
        goes, ends, stores = Signal(), Signal(), Signal()
        m.d.comb += [
            stores.eq(step.bytes != 0),
            goes.eq(self.steps.valid & self.results.valid),
            ends.eq(goes & (~stores | (number == self.lanes.last_pass))),
            self.steps.ready.eq(ends),
            self.results.ready.eq(ends & step.pop),
            lane_places.lanes.eq(self.lanes),
            lane_places.offset.eq(self.steps.payload.offset),
            lane_places.pass_number.eq(number),
        ]
        with m.If(goes):
            m.d.sync += number.eq(Mux(ends, 0, number + 1))
        places: Any = Signal(data.ArrayLayout(place_layout(self.config), rows))
        words: Any = Signal(data.ArrayLayout(OPERAND_BITS, rows))
        octets, clears = Signal(OPERAND_BITS // 8), Signal()
        m.d.comb += clears.eq(ends & stores)
        for row in range(rows):
            m.d.sync += words[row].eq(self._build_word(m, row, ends, clears))
        m.d.sync += [
            places.eq(lane_places.places),
            octets.eq(Mux(goes & stores, step.bytes, 0)),
            self.writes.eq(goes & stores),
        ]
        m.d.comb += self.idle.eq(~self.writes)
        self._build_crossbar(m, places, words, octets)
        return m

    def _build_word(self, m: Module, row: int, ends: Value, clears: Value) -> Value:
        """The word of a row: its result, or the gathered word with the copy put in."""
        step, lane = self.steps.payload.entry, self.results.payload.lanes[row]
        if not self.config.engine.narrow_precisions:
            return lane.result
        m.submodules[f"gather_{row}"] = gather = Gather(self.config.engine)
        m.d.comb += [
            gather.lane.eq(lane),
            gather.width.eq(step.width),
            gather.place.eq(step.place),
            gather.keep.eq(ends),
            gather.clear.eq(clears),
        ]
        return gather.word

    def _build_crossbar(self, m: Module, places: Any, words: Any, octets: Signal) -> None:
        """Each bank takes the word of the lane that writes it."""
        config = self.config
        conflicts = []
        for bank in range(config.banks):
            m.submodules[f"bank_{bank}"] = request = BankRequest(config, writes=True)
            m.d.comb += [
                request.number.eq(bank),
                request.enable.eq(self.writes),
                request.places.eq(places),
                request.words.eq(words),
                self.banks.bytes[bank].eq(Mux(request.hit, octets, 0)),
                self.banks.rows[bank].eq(request.row),
                self.banks.words[bank].eq(request.word),
            ]
            conflicts.append(request.conflict)
        outside = Cat(*(place.valid & place.outside for place in places)).any()
        no_width = self.steps.valid & (
            self.steps.payload.entry.width >= len(config.engine.precisions)
        )
        m.d.comb += [
            self.conflict.eq(Cat(*conflicts).any()),
            self.outside.eq((self.writes & outside) | no_width),
        ]
