"""The results that a small engine owes its host: numbers of tiles and columns."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from qcnpe.rtl import collector
from qcnpe.rtl.layouts import command_layout
from qcnpe.spec.commands import Opcode
from qcnpe.spec.config import TILES_IN_FLIGHT
from tests.formal.command_oracle import is_good_tile
from tests.formal.harness import implies
from tests.formal.queues import held_words, is_sound
from tests.formal.small_engine import EngineHarness


class AccountedEngine(EngineHarness):
    """An engine with free streams and requests, and accounts that induction may rely on.

    Attributes
    ----------
    columns, tiles : columns and tiles of good commands that have not left
    on_their_way : of these columns, those whose tile's last beat has entered
    runs : a tile is in progress
    """

    columns: Signal
    tiles: Signal
    on_their_way: Value
    runs: Signal

    def place(self, m: Module) -> None:
        """Tiles and columns enter the accounts with their commands and leave with their results.

        A tile that a halt abandons leaves them, too.
        """
        super().place(m)
        inside, results = self.inside, self.dut.results
        layout = command_layout(self.config)
        word: Any = layout(inside["command_queue.o__payload"])
        command: Any = layout(inside["sequencer.decoder.command"])
        finishes = inside["sequencer.tiles__valid"]
        taken = inside["command_queue.o__valid"] & inside["sequencer.decoder.commands__ready"]
        stopped = self.dut.halt | self.dut.halted
        self.columns, self.tiles = Signal(8, name="columns"), Signal(8, name="tiles")
        self.runs = Signal(name="runs")
        promises, gives_up, leaves = (Signal(name=n) for n in ("promises", "gives_up", "leaves"))
        m.d.comb += [
            self.runs.eq(inside["sequencer.decoder.active"] & (command.opcode == Opcode.TILE)),
            promises.eq(taken & ~stopped & is_good_tile(word, self.config)),
            gives_up.eq(self.dut.halt & self.runs & ~finishes),
            leaves.eq(results.valid & results.ready),
        ]
        given, lost = Mux(promises, word.cols, 0), Mux(gives_up, command.cols, 0)
        m.d.sync += [
            self.columns.eq(self.columns + given - lost - leaves),
            self.tiles.eq(self.tiles + promises - gives_up - (leaves & results.payload.last)),
        ]
        self._rely_on_accounts(command.cols)

    def _rely_on_accounts(self, cols: Value) -> None:
        """Owed are the tile in progress and the tiles in the collector's queue."""
        inside, config = self.inside, self.config
        queue, column = "collector.tile_queue", inside["collector.column"]
        layout = collector.tile_layout(config)
        queued: Value = Signal(1)
        for there, word in held_words(inside, queue, TILES_IN_FLIGHT):
            tile_cols = layout(word).cols
            queued = queued + Mux(there, tile_cols, 0)
            self.invariant(implies(there, self._is_size(tile_cols)))
        head, level = layout(inside[f"{queue}.o__payload"]).cols, inside[f"{queue}.level"]
        room = inside["sequencer.admission.room"]
        self.on_their_way = config.result_depth - room
        self.invariant(is_sound(inside, queue, layout.size, TILES_IN_FLIGHT))
        self.invariant(implies(self.runs, self._is_size(cols)))
        self.invariant(implies(self.dut.halted, ~inside["sequencer.decoder.active"]))
        self.invariant(Mux(level == 0, column == 0, column < head))
        self.invariant(self.on_their_way == queued - column, room <= config.result_depth)
        self.invariant(self.columns == Mux(self.runs, cols, 0) + self.on_their_way)
        self.invariant(self.tiles == self.runs + level)

    def _is_size(self, cols: Value) -> Value:
        return (cols >= 1) & (cols <= self.config.cols)
