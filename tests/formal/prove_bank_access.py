"""Accesses of tiles to the activation banks: inside or told, and nothing is overwritten too early.

`prove_places` proves what is known of places here; `prove_read_out` and `prove_fifo` that the
engine keeps what it has taken.
"""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal

from qcnpe.rtl.memory import fetch, write_back
from qcnpe.spec.memory.config import MemoryConfig
from tests.formal.axi_rules import Channel, keeps_offer
from tests.formal.bugs import Bug
from tests.formal.harness import free_inputs, implies, past
from tests.formal.proof import BOUNDED, ProofTest
from tests.formal.small_memories import ROWS, MemoryHarness, small_memories


class AccessHarness(MemoryHarness):
    """A unit with steps that stay, and their lane entries, until it takes them."""

    def keep_steps(self, m: Module, dut: Any) -> None:
        """Let the inputs be free; a lane entry stays as long as its step."""
        free_inputs(m, dut)
        step = Cat(dut.steps.payload.as_value(), dut.lanes.as_value())
        self.assume(keeps_offer(m, Channel(dut.steps.valid, dut.steps.ready, step)))
        self.assume(dut.lanes.last_pass < self.config.engine.rows)


class ReadsHarness(AccessHarness):
    """A fetch unit, and an engine whose queues have room at any time."""

    def build(self, m: Module) -> None:
        """Each step has one or two beats."""
        m.submodules.dut = dut = fetch.Fetch(self.config)
        self.keep_steps(m, dut)
        count = dut.steps.payload.entry.count
        self.assume((count != 0) & (count <= 2))
        banks = dut.banks
        rows = [
            implies(enable, row < ROWS)
            for enable, row in zip(banks.enable, banks.rows, strict=True)
        ]
        told = dut.outside | dut.conflict
        self.claim("reads stay inside, or are told", *(told | inside for inside in rows))
        weight = implies(dut.weight_enable, (dut.weight_address < ROWS) | dut.outside)
        self.claim("weights stay inside, or are told", weight)
        beat = Cat(dut.activations.payload.as_value(), dut.weights.payload.as_value())
        waits = past(m, dut.activations.valid & ~dut.activations.ready)
        kept = (beat == past(m, beat)) & (dut.activations.valid == dut.weights.ready)
        self.claim("no beat is overwritten", implies(waits, kept))
        together = dut.activations.valid & dut.activations.ready
        self.claim("beats leave together", together == (dut.weights.valid & dut.weights.ready))
        left, taken = Signal(8), Signal(8, name="taken")
        m.d.sync += [
            left.eq(left + Mux(dut.steps.valid & dut.steps.ready, count, 0)),
            taken.eq(taken + together),
        ]
        self.claim("idle when all beats have left", implies(dut.idle & (taken != 0), taken >= left))
        self.witness("two passes", past(m, dut.passes), dut.passes, ~dut.steps.ready, taken == 1)
        self.witness("a weight beyond", dut.weight_enable, dut.outside)


class WritesHarness(AccessHarness):
    """A write-back unit with free results, of one width."""

    def build(self, m: Module) -> None:
        """A result stays until the write that takes it."""
        m.submodules.dut = dut = write_back.WriteBack(self.config)
        self.keep_steps(m, dut)
        results = dut.results
        self.assume(
            keeps_offer(m, Channel(results.valid, results.ready, results.payload.as_value())),
            dut.steps.payload.entry.width == 0,
        )
        banks, step = dut.banks, dut.steps.payload.entry
        rows = [
            implies(octets != 0, row < ROWS)
            for octets, row in zip(banks.bytes, banks.rows, strict=True)
        ]
        told = dut.outside | dut.conflict
        self.claim("writes stay inside, or are told", *(told | inside for inside in rows))
        works = dut.steps.valid & results.valid
        wanted = past(m, Mux(works, step.bytes, 0))
        octets = [(each == 0) | (each == wanted) for each in banks.bytes]
        self.claim("no octets but those of the step", *octets)
        self.claim("a result leaves with its write", implies(results.ready, works & step.pop))
        busy = past(m, works & (step.bytes != 0))
        self.claim("idle when the banks are written", dut.idle == ~busy)
        self.witness("two banks", banks.bytes[0] != 0, banks.bytes[1] != 0, ~dut.outside)
        self.witness("a row beyond", dut.outside, banks.bytes[0] != 0)


class AccessProof:
    """What both proofs share."""

    sizes = (small_memories(2, 1),)
    engine, depth = BOUNDED, 10
    bug_depth = witness_depth = 10

    kind: ClassVar[type[AccessHarness]]

    def harness(self, size: MemoryConfig) -> AccessHarness:
        return self.kind(size)


class TestReads(AccessProof, ProofTest):
    kind = ReadsHarness
    bugs: ClassVar = {
        "reads stay inside, or are told": Bug(
            fetch, "(reading.valid & lanes_outside) | weights_outside", "weights_outside"
        ),
        "weights stay inside, or are told": Bug(
            fetch, "self._weight_row >= config.weight_rows", "self._weight_row > config.weight_rows"
        ),
        "no beat is overwritten": Bug(
            fetch,
            "moves.eq(~offered | (self.activations.ready & self.weights.ready))",
            "moves.eq(~offered | self.weights.ready)",
        ),
        "beats leave together": Bug(
            fetch,
            "self.weights.valid.eq(offered & self.activations.ready)",
            "self.weights.valid.eq(offered)",
        ),
        "idle when all beats have left": Bug(fetch, "& ~read.valid & ~offered", "& ~read.valid"),
    }


class TestWrites(AccessProof, ProofTest):
    kind = WritesHarness
    bugs: ClassVar = {
        "writes stay inside, or are told": Bug(
            write_back, "(self.writes & outside) | no_width", "no_width"
        ),
        "no octets but those of the step": Bug(
            write_back, "Mux(request.hit, octets, 0)", "Mux(request.hit, 3, 0)"
        ),
        "a result leaves with its write": Bug(
            write_back, "self.results.ready.eq(ends & step.pop)", "self.results.ready.eq(step.pop)"
        ),
        "idle when the banks are written": Bug(
            write_back, "self.idle.eq(~self.writes)", "self.idle.eq(1)"
        ),
    }
