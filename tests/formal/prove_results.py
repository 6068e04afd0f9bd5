"""Every beat of results belongs to a good tile command, and every tile leaves complete.

Halts come at any time; a tile whose last beat has not entered is then abandoned and not owed.
"""

from typing import ClassVar

from amaranth.hdl import Module

from qcnpe.rtl import collector, decoder
from qcnpe.spec.config import EngineConfig
from tests.formal.accounts import AccountedEngine
from tests.formal.bugs import Bug
from tests.formal.harness import implies, past
from tests.formal.proof import BOUNDED, INDUCTION, ProofTest
from tests.formal.small_engine import small


class ResultsHarness(AccountedEngine):
    """Each valid beat, compared with the accounts."""

    def build(self, m: Module) -> None:
        """No beat and no end of a tile that is not owed."""
        self.place(m)
        results = self.dut.results
        self.claim("no result without a command", implies(results.valid, self.columns != 0))
        self.claim("no end of a tile without one", implies(results.valid, self.tiles != 0))
        self.claim(
            "what is owed last ends its tile",
            implies(results.valid & (self.columns == 1), results.payload.last),
        )
        left = past(m, results.valid & results.ready)
        self.witness("a result", results.valid, results.payload.last)
        self.witness("a result in a halt", results.valid, self.dut.halted, left)


class TestResults(ProofTest):
    sizes = (small(1, 1), small(1, 2), small(2, 2))
    engine, depth = INDUCTION, 2
    bug_engine = BOUNDED
    bug_depth = witness_depth = 13
    bugs: ClassVar = {
        "no result without a command": Bug(
            decoder, "self.active.eq(good)", "self.active.eq(self.commands.valid)"
        ),
        "no end of a tile without one": Bug(collector, "complete = known & ", "complete = "),
        "what is owed last ends its tile": Bug(
            collector, "beat.last.eq(column == tile.cols - 1)", "beat.last.eq(column == tile.cols)"
        ),
    }

    def harness(self, size: EngineConfig) -> ResultsHarness:
        return ResultsHarness(size)
