"""At most one column of a row is done in a cycle, so that ORs may read its result."""

from typing import ClassVar

from amaranth.hdl import Const, Module, Signal, Value

from qcnpe.rtl import admission, ncu_array
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, add_open, free, free_inputs, implies, is_one_hot
from tests.formal.proof import INDUCTION, ProofTest
from tests.formal.small_engine import small


class ReadOutHarness(Harness):
    """An array with any beats, but a last one only when `Admission` allows it.

    `prove_lanes` proves that the sequencer sends no other, and masks only lanes at the end.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """Counts, in each row, the NCUs that are done."""
        array, gate = ncu_array.NcuArray(self.config), admission.Admission(self.config)
        inside = add_open(m, "array", array)
        m.submodules.gate = gate
        finish, cols = Signal(), Signal(9)
        free(m, cols)
        free_inputs(m, array)
        free_inputs(m, gate, but=("finish", "cols"))
        m.d.comb += [
            finish.eq(array.valid & array.control.last),
            gate.finish.eq(finish),
            gate.cols.eq(cols),
        ]
        self.assume((cols >= 1) & (cols <= self.config.cols), implies(finish, gate.drain_ready))
        for col in range(self.config.cols):
            self.assume(array.weights[col].valid == (cols > col))
        done = [
            _total([inside[f"row_{row}.ncu_{col}.done"] for col in range(self.config.cols)])
            for row in range(self.config.rows)
        ]
        for skew, lanes in (("row_skew", self.config.rows), ("col_skew", self.config.cols)):
            if lanes > 1:
                self.invariant(is_one_hot(inside[f"{skew}.place"]))
        self.claim("at most one column", *(count <= 1 for count in done))
        self.witness("all rows at once", *(count == 1 for count in done))


def _total(bits: list[Value]) -> Value:
    result: Value = Const(0)
    for bit in bits:
        result = result + bit
    return result


class TestReadOut(ProofTest):
    sizes = (small(1, 2), small(2, 3))
    engine, depth = INDUCTION, 8
    bug_depth = witness_depth = 12
    bugs: ClassVar = {
        "at most one column": Bug(
            admission, "self.drain_ready.eq(draining == 0)", "self.drain_ready.eq(1)"
        ),
    }

    def harness(self, size: EngineConfig) -> ReadOutHarness:
        return ReadOutHarness(size)
