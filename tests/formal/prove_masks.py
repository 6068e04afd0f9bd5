"""Masked neural compute units keep their accumulator and report nothing, for any operands."""

from typing import ClassVar

from amaranth.hdl import Module, Signal, Value

from qcnpe.rtl import ncu, ncu_array
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, add_open, free_inputs, implies, is_one_hot, past
from tests.formal.proof import INDUCTION, ProofTest
from tests.formal.small_engine import small


class MaskHarness(Harness):
    """An array that gets any lanes, each with any mask, in every cycle."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """NCU (r, c) works on a beat r + c + 1 cycles later; its sum is there in the next cycle."""
        dut = ncu_array.NcuArray(self.config)
        inside = add_open(m, "dut", dut)
        free_inputs(m, dut)
        kept: list[Value] = []
        silent: list[Value] = []
        heard: list[Value] = []
        for row in range(self.config.rows):
            for col in range(self.config.cols):
                unit = f"row_{row}.ncu_{col}"
                sum_, done = inside[f"{unit}.total"], inside[f"{unit}.done"]
                works = Signal(name=f"works_{row}_{col}")
                m.d.comb += works.eq(dut.valid & _unmasked(dut, row, col))
                worked = past(m, works, cycles=row + col + 2)
                last = past(m, dut.control.last, cycles=row + col + 2)
                kept.append(implies(~worked, sum_ == past(m, sum_)))
                silent.append(implies(~worked, ~done))
                heard.append(implies(worked, done == last))
                if row + col == self.config.rows + self.config.cols - 2:
                    self.witness("the last NCU works", worked, done, sum_ != past(m, sum_))
                    self.witness(
                        "it is passed by", ~worked, past(m, dut.valid, cycles=row + col + 2)
                    )
        for skew, lanes in (("row_skew", self.config.rows), ("col_skew", self.config.cols)):
            if lanes > 1:
                self.invariant(is_one_hot(inside[f"{skew}.place"]))
        self.claim("accumulators of masked units keep their sum", *kept)
        self.claim("masked units are never done", *silent)
        self.claim("the others are done after a last beat", *heard)


def _unmasked(dut: ncu_array.NcuArray, row: int, col: int) -> Value:
    """A unit is masked with its own row or column and with any before them."""
    active: Value = dut.activations[0].valid & dut.weights[0].valid
    for above in range(1, row + 1):
        active = active & dut.activations[above].valid
    for left in range(1, col + 1):
        active = active & dut.weights[left].valid
    return active


class TestMasks(ProofTest):
    sizes = (small(1, 1), small(2, 2))
    engine, depth = INDUCTION, 6
    bug_depth = witness_depth = 10
    bugs: ClassVar = {
        "accumulators of masked units keep their sum": Bug(
            ncu, "with m.If(working & (first | ~zero)):", "with m.If(first | ~zero):"
        ),
        "masked units are never done": Bug(
            ncu, "self.done.eq(working & last)", "self.done.eq(last)"
        ),
        "the others are done after a last beat": Bug(
            ncu,
            "self.done.eq(working & last)",
            "self.done.eq(working & last & ~zero)",
        ),
    }

    def harness(self, size: EngineConfig) -> MaskHarness:
        return MaskHarness(size)
