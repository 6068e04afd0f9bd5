"""The sequencer masks every lane that its tile's command leaves out."""

from typing import ClassVar

from amaranth.hdl import Module, Value

from qcnpe.rtl import sequencer
from qcnpe.rtl.layouts import command_layout
from qcnpe.spec.commands import Opcode
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, add_open, free_inputs, implies
from tests.formal.proof import INDUCTION, ProofTest
from tests.formal.small_engine import small


class LanesHarness(Harness):
    """A sequencer with free streams."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """Each lane against the command in progress."""
        dut = sequencer.Sequencer(self.config)
        inside = add_open(m, "dut", dut)
        free_inputs(m, dut)
        command = command_layout(self.config)(inside["decoder.command"])
        active = inside["decoder.active"]
        beat: Value = dut.beat_valid
        rows, idle = _lanes(dut.activation_lanes, command.rows)
        cols, quiet = _lanes(dut.weight_lanes, command.cols)
        tile = active & (command.opcode == Opcode.TILE)
        self.invariant(implies(active, rows & cols))
        self.claim("active rows", implies(beat, rows))
        self.claim("active columns", implies(beat, cols))
        self.claim("masked lanes are zero", idle, quiet)
        self.claim("no beat without a tile", implies(beat, tile))
        self.claim(
            "operands are taken together",
            implies(~dut.halted, (dut.activations.valid & dut.activations.ready) == beat),
            implies(~dut.halted, (dut.weights.valid & dut.weights.ready) == beat),
        )
        gate = inside["admission.drain_ready"] & inside["admission.results_ready"]
        self.claim(
            "last beats wait for admission",
            implies(beat & dut.control.last, gate & inside["admission.parameters_ready"]),
        )
        self.witness(
            "all rows, one column", beat, command.rows == self.config.rows, command.cols == 1
        )
        self.witness(
            "all columns, one row", beat, command.cols == self.config.cols, command.rows == 1
        )


def _lanes(lanes, count):
    """(the first `count` lanes are valid and no others, what is not valid is zero)."""
    right, quiet = 1, 1
    for index, lane in enumerate(lanes):
        right = right & (lane.valid == (count > index))
        quiet = quiet & (lane.valid | (lane.operands == 0))
    return right, quiet


class TestLanes(ProofTest):
    sizes = (small(1, 1), small(2, 3))
    engine, depth = INDUCTION, 3
    bug_depth = witness_depth = 10
    bugs: ClassVar = {
        "active rows": Bug(sequencer, "lane.valid.eq(decoder.row_mask[row])", "lane.valid.eq(1)"),
        "active columns": Bug(
            sequencer, "lane.valid.eq(decoder.col_mask[col])", "lane.valid.eq(self.weights.valid)"
        ),
        "masked lanes are zero": Bug(
            sequencer, "with m.If(decoder.col_mask[col]):", "with m.If(decoder.active):"
        ),
        "no beat without a tile": Bug(
            sequencer, "tile.eq(decoder.active & (decoder.command", "tile.eq((decoder.command"
        ),
        "last beats wait for admission": Bug(sequencer, "held.eq(\n", "held.eq((beat == 0) &\n"),
        "operands are taken together": Bug(
            sequencer,
            "activations.ready.eq(tile & weights.valid & ~held",
            "activations.ready.eq(tile & ~held",
        ),
    }

    def harness(self, size: EngineConfig) -> LanesHarness:
        return LanesHarness(size)
