"""Every beat of results was promised by a good tile command."""

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal

from qcnpe.rtl import collector, decoder
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.command_oracle import is_good_tile
from tests.formal.harness import implies
from tests.formal.proof import BOUNDED, ProofTest
from tests.formal.small_engine import EngineHarness, small


class ResultsHarness(EngineHarness):
    """An engine with free streams, and accounts of what its host may expect."""

    def build(self, m: Module) -> None:
        """Tiles and columns enter the accounts with their commands and leave with their results."""
        self.place(m)
        commands, results = self.dut.commands, self.dut.results
        columns, tiles = Signal(8), Signal(8)
        promise, gives = Signal(), Signal()
        m.d.comb += [
            promise.eq(
                commands.valid & commands.ready & is_good_tile(commands.payload, self.config)
            ),
            gives.eq(results.valid & results.ready),
        ]
        m.d.sync += [
            columns.eq(columns + Mux(promise, commands.payload.cols, 0) - gives),
            tiles.eq(tiles + promise - (gives & results.payload.last)),
        ]
        self.claim("no result without a command", implies(results.valid, columns != 0))
        self.claim("no end of a tile without one", implies(results.valid, tiles != 0))
        self.claim(
            "what is owed last ends its tile",
            implies(results.valid & (columns == 1), results.payload.last),
        )
        self.witness("a result", results.valid, results.payload.last)


class TestResults(ProofTest):
    sizes = (small(1, 1), small(1, 2), small(2, 2))
    engine, depth = BOUNDED, 14
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
