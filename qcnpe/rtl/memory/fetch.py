"""The fetch unit: operand beats from the activation banks and the weights."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import operand_beat
from qcnpe.rtl.memory.bank_request import BankRequest
from qcnpe.rtl.memory.lane_places import LanePlaces
from qcnpe.rtl.memory.layouts import (
    ADDRESS_BITS,
    TAP_LAYOUT,
    address_bits,
    bank_reads_layout,
    bank_words_layout,
    lane_layout,
    place_layout,
    step_layout,
)
from qcnpe.rtl.memory.unfold import Unfold, spread_widths, unfold_layout
from qcnpe.rtl.memory.word_select import WordSelect
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import Memory, MemoryConfig


class Fetch(Component):
    """Makes the beats of activations and weights of each tap.

    A beat takes as many cycles as its lane entry has passes. In each, the lanes of the pass read
    the banks through a crossbar without arbitration; lanes that want different rows of one bank are
    a fault.

    Latency: `FETCH_LATENCY` cycles from a step to its first beat, if that has one pass, see
    `spec.memory.timing`. Throughput: one pass a cycle, without a gap between words, steps and
    tiles.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    steps : in, stream of `step_layout(config, TAP_LAYOUT, weighted=True)`, of the `Walker`
    lanes : in, `lane_layout(config)`, the lane entry of the step
    banks : out, `bank_reads_layout(config)`, reads of this cycle
    bank_words : in, `bank_words_layout(config)`, what the banks read in the cycle before, or later
    weight_address : out, `address_bits(config, Memory.WEIGHTS)` bits, weight beat to read
    weight_enable : out, 1 bit, read it
    weight_beat : in, `operand_beat(config.engine.cols)`, the weight beat that was read
    activations : out, stream of `operand_beat(config.engine.rows)`, to the engine
    weights : out, stream of `operand_beat(config.engine.cols)`, to the engine
    outside, conflict : out, 1 bit each, a fault, high while its pass waits or moves
    passes : out, 1 bit, a pass begins in this cycle
    idle : out, 1 bit, no beat is on its way
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        engine = config.engine
        super().__init__(
            {
                "steps": In(stream.Signature(step_layout(config, TAP_LAYOUT, weighted=True))),
                "lanes": In(lane_layout(config)),
                "banks": Out(bank_reads_layout(config)),
                "bank_words": In(bank_words_layout(config)),
                "weight_address": Out(address_bits(config, Memory.WEIGHTS)),
                "weight_enable": Out(1),
                "weight_beat": In(operand_beat(engine.cols)),
                "activations": Out(stream.Signature(operand_beat(engine.rows))),
                "weights": Out(stream.Signature(operand_beat(engine.cols))),
                "outside": Out(1),
                "conflict": Out(1),
                "passes": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Places, reads and beats: three stages that move together."""
        m = Module()
        moves, offered = Signal(), Signal()
        m.d.comb += [
            moves.eq(~offered | (self.activations.ready & self.weights.ready)),
            self.activations.valid.eq(offered & self.weights.ready),
            self.weights.valid.eq(offered & self.activations.ready),
        ]
        how = unfold_layout(self.config.engine)
        stage = data.StructLayout({"valid": 1, "first": 1, "last": 1, "how": how})
        reading: Any = Signal(stage)
        read: Any = Signal(stage)
        places = self._build_places(m, moves, reading)
        self._build_reads(m, moves, places, reading)
        lane_type = data.StructLayout({"valid": 1, "bank": self.config.bank_bits})
        lanes: Any = Signal(data.ArrayLayout(lane_type, self.config.engine.rows))
        with m.If(moves):
            m.d.sync += [read.eq(reading), offered.eq(read.valid & read.last)]
            for lane, place in zip(lanes, places, strict=True):
                m.d.sync += [lane.valid.eq(place.valid), lane.bank.eq(place.bank)]
        self._build_beat(m, moves & read.valid, lanes, read)
        m.d.comb += self.idle.eq(~reading.valid & ~read.valid & ~offered)
        return m

    def _build_places(self, m: Module, moves: Signal, reading: Any) -> Any:
        """Count words and passes of a step, and register the places of each pass."""
        m.submodules.lane_places = lane_places = LanePlaces(self.config)
        step, word, number = self.steps.payload, Signal(12), Signal(self.config.pass_bits)
        last_pass, goes = Signal(), Signal()
        layout = data.ArrayLayout(place_layout(self.config), self.config.engine.rows)
        places: Any = Signal(layout)
        m.d.comb += [
            lane_places.lanes.eq(self.lanes),
            lane_places.offset.eq(step.offset),
            lane_places.rows.eq(word),
            lane_places.pass_number.eq(number),
            last_pass.eq(number == self.lanes.last_pass),
            goes.eq(self.steps.valid & moves),
            self.passes.eq(goes),
            self.steps.ready.eq(moves & last_pass & (word + 1 == step.entry.count)),
        ]
        with m.If(goes):
            m.d.sync += number.eq(Mux(last_pass, 0, number + 1))
            with m.If(last_pass):
                m.d.sync += word.eq(Mux(self.steps.ready, 0, word + 1))
        with m.If(moves):
            m.d.sync += [
                reading.valid.eq(self.steps.valid),
                reading.first.eq(number == 0),
                reading.last.eq(last_pass),
                places.eq(lane_places.places),
            ]
            self._build_how(m, reading.how)
        self._build_weights(m, goes & last_pass, self.steps.ready)
        return places

    def _build_how(self, m: Module, how: Any) -> None:
        """How a row of weights is unfolded in the beats of a step."""
        step = self.steps.payload
        widths = spread_widths(self.config.engine)
        m.d.sync += [
            how.places.eq(step.entry.places),
            how.turn.eq(step.entry.turn),
            how.spread.eq(Cat(step.entry.spread & (step.precision == each) for each in widths)),
        ]

    def _build_weights(self, m: Module, beat: Value, step_ends: Value) -> None:
        """The row of each weight beat: the next one, or the same as long as it is unfolded."""
        step, begun = self.steps.payload, Signal()
        row, following, address = (
            Signal(ADDRESS_BITS, name=name) for name in ("weight_row", "next_row", "read_row")
        )
        goes_on = (step.entry.places == 0) | (step_ends & step.entry.next)
        m.d.comb += row.eq(Mux(begun, following, step.weights))
        with m.If(beat):
            m.d.sync += [following.eq(row + goes_on), address.eq(row)]
            m.d.sync += begun.eq(~(step_ends & step.entry.last))
        m.d.comb += self.weight_address.eq(address)
        self._weight_row = address

    def _build_reads(self, m: Module, moves: Signal, places: Any, reading: Any) -> None:
        """The crossbar of addresses: each bank takes the row of any lane that reads it."""
        config = self.config
        conflicts = []
        for bank in range(config.banks):
            m.submodules[f"bank_{bank}"] = request = BankRequest(config, writes=False)
            m.d.comb += [
                request.number.eq(bank),
                request.enable.eq(reading.valid),
                request.places.eq(places),
                self.banks.rows[bank].eq(request.row),
                self.banks.enable[bank].eq(request.hit & moves),
            ]
            conflicts.append(request.conflict)
        lanes_outside = Cat(*(place.valid & place.outside for place in places)).any()
        weight_reads = reading.valid & reading.last
        weights_outside = weight_reads & (self._weight_row >= config.weight_rows)
        m.d.comb += [
            self.conflict.eq(Cat(*conflicts).any()),
            self.outside.eq((reading.valid & lanes_outside) | weights_outside),
            self.weight_enable.eq(weight_reads & moves),
        ]

    def _build_beat(self, m: Module, goes: Value, lanes: Any, read: Any) -> None:
        """The crossbar of words; a lane keeps what it read in an earlier pass of the beat."""
        for number, lane in enumerate(lanes):
            select = WordSelect(width=OPERAND_BITS, words=self.config.banks)
            m.submodules[f"lane_{number}"] = select
            m.d.comb += [select.choices.eq(self.bank_words), select.number.eq(lane.bank)]
            held = self.activations.payload[number]
            with m.If(goes & (lane.valid | read.first)):
                m.d.sync += held.eq(Mux(lane.valid, select.word, 0))
        m.submodules.unfold = unfold = Unfold(self.config.engine)
        m.d.comb += [unfold.row.eq(self.weight_beat), unfold.how.eq(read.how)]
        with m.If(goes & read.last):
            m.d.sync += self.weights.payload.eq(unfold.beat)
