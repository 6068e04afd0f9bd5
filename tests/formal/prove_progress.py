"""An engine never deadlocks: with its operands sent and its results taken, it makes progress.

Each claim bounds the cycles until the next progress. Together they bound the time for a tile to end
and its results to leave, and for a halted engine to become empty: there are never more columns,
parameter words and queued words than the queues hold, and in a halt no others follow. The smallest
engine represents all; in larger ones the bounds are larger.
"""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl import admission, collector, decoder, sequencer
from qcnpe.rtl.afu import results_layout
from qcnpe.rtl.layouts import command_layout, west_layout
from qcnpe.spec.activation import Function
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from qcnpe.spec.cycles import (
    AFU_LATENCY,
    ARRAY_LATENCY,
    DRAIN_AFTER_TABLE,
    QUEUE_LATENCY,
    TABLE_LATENCY,
)
from tests.formal.accounts import AccountedEngine
from tests.formal.bugs import Bug
from tests.formal.harness import implies, past
from tests.formal.proof import BOUNDED, INDUCTION, ProofTest
from tests.formal.queues import held_words
from tests.formal.small_engine import small

WAY = ARRAY_LATENCY + TABLE_LATENCY + QUEUE_LATENCY
"""Most cycles from a last beat to the offer of its first result, on an engine of one NCU."""


_NCU = "array.row_0.ncu_0"


class ProgressHarness(AccountedEngine):
    """Ages of words and columns that wait only for the engine."""

    def build(self, m: Module) -> None:
        """A column, a parameter word, a beat, and the words that a halt discards."""
        self.place(m)
        dut, inside = self.dut, self.inside
        taken = dut.results.valid & dut.results.ready
        way_open = dut.results.ready & (self.on_their_way != 0)
        promised, read = inside["sequencer.admission.promised"], inside["sequencer.column_read"]
        column = self._age(m, way_open & ~taken)
        sum_ = self._age(m, (promised != 0) & ~read)
        tile = self._age(m, self._waits_for_engine())
        self.claim("results come", column <= WAY)
        self.claim("sums come", sum_ <= ARRAY_LATENCY)
        self.claim("tiles end", tile <= WAY + 1)
        for name in ("command", "activation", "weight", "parameter"):
            self._claim_discard(m, name, promised)
        self._follow_columns(column)
        self.invariant(implies(sum_ != 0, (sum_ == 1) & inside[f"{_NCU}.done"]))
        enters = inside["sequencer.admission.results_ready"]
        left = inside["sequencer.admission.draining"]
        drains = tile + left <= DRAIN_AFTER_TABLE
        self.invariant(implies(left != 0, drains))
        enters = enters & ((tile == column + 1) | drains)
        self.invariant(implies(tile != 0, (tile <= column) | enters))
        self.witness("a tile waits for room", way_open, self._waits_for_engine())

    def _waits_for_engine(self) -> Value:
        """A tile has operands and parameters, its results are taken, and yet no beat enters."""
        inside = self.inside
        operands = inside["activation_queue.o__valid"] & inside["weight_queue.o__valid"]
        fed = operands & inside["sequencer.admission.parameters_ready"]
        return self.runs & fed & self.dut.results.ready & ~inside["sequencer.beat_valid"]

    def _age(self, m: Module, waits: Value) -> Signal:
        """Cycles for which a condition has held, in a register of the harness."""
        age = Signal(5)
        m.d.sync += age.eq(Mux(waits, age + (age != 31), 0))
        return age

    def _claim_discard(self, m: Module, name: str, promised: Signal) -> None:
        """In a halt a queue's oldest word leaves in each cycle, except reserved parameters."""
        port = getattr(self.dut, {"activation": "activations"}.get(name, f"{name}s"))
        level, comes = self.inside[f"{name}_queue.level"], port.valid & port.ready
        free: Value = promised == 0 if name == "parameter" else Signal(init=1)
        goes = past(m, self.dut.halted & free)
        left = past(m, level - (level != 0) + comes)
        self.claim(f"a halt discards {name} words", implies(goes, level == left))

    def _follow_columns(self, age: Signal) -> None:
        """Each column is in one register of the way or in its queue; one that waits moves on."""
        inside = self.inside
        masks = [inside[f"sequencer.decoder.{lanes}_mask"] for lanes in ("row", "col")]
        command = command_layout(self.config)(inside["sequencer.decoder.command"])
        self.invariant(implies(self.runs, command.pool == 0))
        self.invariant(implies(self.runs, masks[0] & masks[1]))
        layout = collector.tile_layout(self.config)
        for there, word in held_words(inside, "collector.tile_queue", TILES_IN_FLIGHT):
            self.invariant(implies(there, layout(word).row_mask & (layout(word).pool == 0)))
        last = west_layout(self.config)(inside[f"{_NCU}.lane"]).control.last
        stages = [inside[f"{_NCU}.working"] & last, inside[f"{_NCU}.done"]]
        in_array = stages[0] + stages[1]
        value, table = inside["afu_0.late_value"], inside["afu_0.late_table"]
        stages += [inside["afu_0.late_valid"], value | table]
        tables = [inside[f"afu_0.interpolator.late_{n}"] for n in ("kept", "valid", "result_valid")]
        self.invariant(~(value & table))
        stages += tables
        self._keep_apart(stages, [table, *tables])
        queued = inside["collector.queue_0.level"]
        self.invariant(inside["sequencer.admission.promised"] == in_array)
        self.invariant(self.on_their_way == sum(stages) + queued)
        for passed in range(1, len(stages) + 1):
            moved = Cat(*stages[passed:]).any() | (queued != 0)
            self.invariant(implies(age >= passed, moved))
        self.invariant(age <= len(stages))

    def _keep_apart(self, stages: list[Value], tables: list[Value]) -> None:
        """No sum follows one for the table so soon that its result would overtake.

        Parameters
        ----------
        stages : all stages of the way
        tables : those of the way through the table
        """
        inside, layout = self.inside, results_layout(self.config)
        tiles = ("sequencer.next_finished", "sequencer.finished", "afu_0.tile_below")
        # One row has no windows.
        self.invariant(inside["afu_0.late_pool"] == 0)
        for name in tiles:
            self.invariant(layout(inside[name]).pool == 0)
        for number, name in enumerate(tiles):
            is_table = layout(inside[name]).function == Function.TABLE
            left = DRAIN_AFTER_TABLE - number
            held = inside["sequencer.admission.draining"] == left
            empty = ~Cat(*stages[:number]).any()
            self.invariant(implies(stages[number] & is_table, held & empty))
        for number, stage in enumerate(tables, AFU_LATENCY + 1):
            before = stages[max(number - DRAIN_AFTER_TABLE, 0) : number]
            self.invariant(implies(stage, ~Cat(*before).any()))
        self.invariant(inside["sequencer.late_finish"] == stages[0])
        self.invariant(implies(stages[1], inside["sequencer.neuron"][-1]))


class TestProgress(ProofTest):
    sizes = (small(1, 1),)
    engine, depth = INDUCTION, 2
    bug_engine = BOUNDED
    bug_depth = witness_depth = 25
    bugs: ClassVar = {
        "results come": Bug(
            collector,
            "return queue.o.valid\n",
            "return queue.o.valid & (queue.level != 2)\n",
        ),
        "sums come": Bug(
            sequencer,
            "self.control.last.eq(last)",
            "self.control.last.eq(last & ~self.commands.valid)",
        ),
        "tiles end": Bug(admission, "room - taken + self.column_returned", "room - taken"),
        "a halt discards command words": Bug(
            decoder,
            "ready.eq(~self.active | self.finish)",
            "ready.eq((~self.active & ~self.halted) | self.finish)",
        ),
        "a halt discards activation words": Bug(
            sequencer,
            "activations.ready.eq(tile & weights.valid & ~held | self.halted)",
            "activations.ready.eq((tile | self.halted) & weights.valid & ~held)",
        ),
        "a halt discards weight words": Bug(
            sequencer,
            "weights.ready.eq(tile & activations.valid & ~held | self.halted)",
            "weights.ready.eq((tile | self.halted) & activations.valid & ~held)",
        ),
        "a halt discards parameter words": Bug(
            admission, "self.read_out.eq(promised == 0)", "self.read_out.eq(room == depth)"
        ),
    }

    def harness(self, size: EngineConfig) -> ProgressHarness:
        return ProgressHarness(size)
