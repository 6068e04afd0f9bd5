"""The base of all proofs: a proof gives sizes, engine, depth, and a seeded bug for each claim.

Each class gives four kinds of tests: its claims hold, its witnesses are reached, each claim fails
on a component with a seeded bug, and no claim is without such a bug.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tests.formal.bugs import Bug
from tests.formal.harness import Harness, emit
from tests.formal.prover import Task, run

INDUCTION = "smtbmc z3"
"""Bounded from the start, and by induction over `depth` cycles for all time."""

REACHABILITY = "abc pdr"
"""For all time; finds its invariants itself, but only for small harnesses."""

BOUNDED = "abc bmc3"
"""For `depth` cycles from the start, not longer."""

BOUNDED_WITH_MEMORY = "smtbmc z3"
"""The same, slower, but for traces that lead through a queue's memory."""


class ProofTest:
    """Base of all proofs.

    Attributes
    ----------
    sizes : arguments of the harness, one proof each
    engine, depth : engine of the prover, see the constants of this module, and its depth
    bugs : for each claim a bug that violates it
    bug_engine, bug_depth, witness_depth : engine for bugs, and numbers of cycles within which a bug
        must be found and the witnesses reached
    """

    sizes: ClassVar[tuple[Any, ...]]
    engine: ClassVar[str] = REACHABILITY
    depth: ClassVar[int] = 20
    bugs: ClassVar[Mapping[str, Bug]]
    bug_engine: ClassVar[str] = BOUNDED
    bug_depth: ClassVar[int] = 20
    witness_depth: ClassVar[int] = 20

    def harness(self, size: Any) -> Harness:
        """A fresh harness of one of `sizes`."""
        raise NotImplementedError

    def test_claims_hold(self, size: Any, record_property: Callable[[str, object], None]) -> None:
        mode = "bmc" if self.engine == BOUNDED else "prove"
        task = Task(mode, "all", self.engine, self.depth)
        self._check(size, task, "PASS", record_property)

    def test_witnesses_are_reached(self, record_property: Callable[[str, object], None]) -> None:
        task = Task("cover", "witnesses", "smtbmc z3", self.witness_depth)
        self._check(self.sizes[-1], task, "PASS", record_property)

    def test_bug_is_found(self, claim: str, record_property: Callable[[str, object], None]) -> None:
        task = Task("bmc", claim, self.bug_engine, self.bug_depth)
        with self.bugs[claim].planted():
            self._check(self.sizes[-1], task, "FAIL", record_property)

    def test_every_claim_has_its_bug(self) -> None:
        harness = self.harness(self.sizes[-1])
        emit(harness, "all")
        assert harness.claims.keys() == self.bugs.keys()
        assert harness.witnesses

    def _check(
        self,
        size: Any,
        task: Task,
        expected: str,
        record_property: Callable[[str, object], None],
    ) -> None:
        outcome = run(self.harness(size), task)
        length = "for all time" if task.engine == REACHABILITY else f"depth {task.depth}"
        verdict = f"{outcome.status:8}{task.mode:6} {task.engine:11} {length:12}"
        record_property("formal", f"{verdict} {outcome.seconds:5.0f} s")
        assert outcome.status == expected, outcome.log
