"""Every beat of results was promised by a good tile command, and every tile leaves whole.

Halts come at any time; a tile whose last beat has not entered then is given up, and promises
nothing any more.
"""

from typing import Any, ClassVar

from amaranth.hdl import Module, Mux, Signal, Value

from qcnpe.rtl import collector, decoder
from qcnpe.rtl.layouts import command_layout
from qcnpe.spec.commands import Opcode
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from tests.formal.bugs import Bug
from tests.formal.command_oracle import is_good_tile
from tests.formal.harness import implies, past
from tests.formal.proof import BOUNDED, INDUCTION, ProofTest
from tests.formal.queues import held_words, is_sound
from tests.formal.small_engine import EngineHarness, small


class ResultsHarness(EngineHarness):
    """An engine with free streams and orders, and accounts of what its host may expect.

    Attributes
    ----------
    columns, tiles : that were promised and have not left
    """

    columns: Signal
    tiles: Signal

    def build(self, m: Module) -> None:
        """Tiles and columns enter the accounts with their commands and leave with their results."""
        self.place(m)
        inside, results = self.inside, self.dut.results
        layout = command_layout(self.config)
        word: Any = layout(inside["command_queue.o__payload"])
        command: Any = layout(inside["sequencer.decoder.command"])
        runs, finishes = Signal(), inside["sequencer.tiles__valid"]
        promises, gives_up, leaves = Signal(), Signal(), Signal()
        self.columns, self.tiles = Signal(8, name="columns"), Signal(8, name="tiles")
        taken = inside["command_queue.o__valid"] & inside["sequencer.decoder.commands__ready"]
        stopped = self.dut.halt | self.dut.halted
        m.d.comb += [
            runs.eq(inside["sequencer.decoder.active"] & (command.opcode == Opcode.TILE)),
            promises.eq(taken & ~stopped & is_good_tile(word, self.config)),
            gives_up.eq(self.dut.halt & runs & ~finishes),
            leaves.eq(results.valid & results.ready),
        ]
        m.d.sync += [
            self.columns.eq(
                self.columns + Mux(promises, word.cols, 0) - Mux(gives_up, command.cols, 0) - leaves
            ),
            self.tiles.eq(self.tiles + promises - gives_up - (leaves & results.payload.last)),
        ]
        self.claim("no result without a command", implies(results.valid, self.columns != 0))
        self.claim("no end of a tile without one", implies(results.valid, self.tiles != 0))
        self.claim(
            "what is owed last ends its tile",
            implies(results.valid & (self.columns == 1), results.payload.last),
        )
        self._account(runs, command.cols)
        self.witness("a result", results.valid, results.payload.last)
        self.witness("a result in a halt", results.valid, self.dut.halted, past(m, leaves))

    def _account(self, runs: Value, cols: Value) -> None:
        """What is promised is the tile in progress and what the collector's queue says."""
        inside, config = self.inside, self.config
        queue, column = "collector.tile_queue", inside["collector.column"]
        layout = collector.tile_layout(config)
        queued: Value = Signal(1)
        for there, word in held_words(inside, queue, TILES_IN_FLIGHT):
            tile_cols = layout(word).cols
            queued = queued + Mux(there, tile_cols, 0)
            self.invariant(implies(there, self._is_size(tile_cols)))
        head, level = layout(inside[f"{queue}.o__payload"]).cols, inside[f"{queue}.level"]
        on_their_way = config.result_depth - inside["sequencer.admission.room"]
        self.invariant(is_sound(inside, queue, layout.size, TILES_IN_FLIGHT))
        self.invariant(implies(runs, self._is_size(cols)), implies(self.dut.halted, ~runs))
        self.invariant(Mux(level == 0, column == 0, column < head))
        self.invariant(on_their_way == queued - column)
        self.invariant(inside["sequencer.admission.room"] <= config.result_depth)
        self.invariant(self.columns == Mux(runs, cols, 0) + on_their_way)
        self.invariant(self.tiles == runs + level)

    def _is_size(self, cols: Value) -> Value:
        return (cols >= 1) & (cols <= self.config.cols)


class TestResults(ProofTest):
    sizes = (small(1, 1), small(1, 2), small(2, 2))
    engine, depth = INDUCTION, 2
    bug_engine = BOUNDED
    bug_depth = witness_depth = 13
    bugs: ClassVar = {
        "no result without a command": Bug(
            decoder, "self.active.eq(good)", "self.active.eq(self.commands.valid)"
        ),
        "no end of a tile without one": Bug(
            collector, "complete = queue.o.valid & ", "complete = "
        ),
        "what is owed last ends its tile": Bug(
            collector, "eq(column == tile.cols - 1)", "eq(column == tile.cols)"
        ),
    }

    def harness(self, size: EngineConfig) -> ResultsHarness:
        return ResultsHarness(size)
