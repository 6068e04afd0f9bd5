"""Loads, stores and fills: every row and bus word exists, none is lost, and the ends are told.

The jobs lie within the memories, as `prove_descriptors` proves; the bus gives the words that were
requested, as `prove_axi_reads` does.
"""

from typing import Any, ClassVar

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value

from qcnpe.rtl.memory import filler, loader, storer
from qcnpe.spec.memory.config import Memory, MemoryConfig
from tests.formal.axi_rules import Channel, keeps_offer
from tests.formal.bugs import Bug
from tests.formal.harness import free_inputs, implies, past
from tests.formal.proof import BOUNDED, ProofTest
from tests.formal.small_memories import ROWS, MemoryHarness, small_memories


class TransfersHarness(MemoryHarness):
    """A unit with jobs that lie within the memories."""

    def take_jobs(self, m: Module, dut: Any) -> Any:
        """Let the inputs be free, and the jobs be good; returns the job that is offered."""
        free_inputs(m, dut)
        job = dut.jobs.payload
        self.assume(keeps_offer(m, Channel(dut.jobs.valid, dut.jobs.ready, job.as_value())))
        self.assume((job.rows != 0) & (job.row + job.rows <= ROWS))
        return job

    def follow(self, m: Module, adds: Any, count: Any, takes: Any) -> Signal:
        """Words of the transfers so far that have not moved."""
        left = Signal(8)
        m.d.sync += left.eq(left + Mux(adds, count, 0) - takes)
        return left

    def words_of(self, memory: Value) -> Value:
        """Bus words of a row of a memory."""
        words: Value = Array(Const(self.config.row_words(each), 4) for each in Memory)[memory]
        return words


class LoadsHarness(TransfersHarness):
    """A loader; words come at any time once they are requested."""

    def build(self, m: Module) -> None:
        """Words that were requested and have not come."""
        m.submodules.dut = dut = loader.Loader(self.config)
        job = self.take_jobs(m, dut)
        self.assume(job.memory <= max(Memory), job.words <= self.words_of(job.memory))
        self.assume((job.words == 1) | (job.words == 2))  # products are slow to prove
        words = Mux(job.words == 1, job.rows, job.rows << 1)
        moves = dut.loads.valid & dut.loads.ready
        asks = dut.transfer.valid & dut.transfer.ready
        left = self.follow(m, asks, dut.transfer.payload.count, moves)
        self.assume(implies(dut.words.valid, left != 0))
        jobs = self.follow(m, dut.jobs.valid & dut.jobs.ready, words, moves)
        word = dut.loads.payload
        self.claim(
            "words stay inside",
            implies(dut.loads.valid, (word.row < ROWS) & (word.word < self.words_of(word.memory))),
        )
        self.claim("idle when all words are there", dut.idle == (jobs == 0))
        self.claim("no word is asked for twice", left <= jobs)
        self.witness("two loads", jobs > 6, left == jobs)


class StoresHarness(TransfersHarness):
    """A storer, and banks that keep what was read until the next read."""

    def build(self, m: Module) -> None:
        """A transfer ends some time after its last word has left."""
        m.submodules.dut = dut = storer.Storer(self.config)
        job = self.take_jobs(m, dut)
        most, words = self.config.row_words(Memory.ACTIVATIONS), dut.bank_words.as_value()
        self.assume((job.words != 0) & (job.words <= most))
        asks = dut.transfer.valid & dut.transfer.ready
        sent = dut.words.valid & dut.words.ready
        left = self.follow(m, asks, dut.transfer.payload.count, sent)
        asked = Signal()
        m.d.sync += asked.eq((asked | asks) & ~dut.done)
        self.assume(
            past(m, dut.read_enable) | (words == past(m, words)),
            implies(dut.words.ready, asked),
            implies(dut.done, asked & (left == 0) & past(m, asked)),
        )
        self.claim("rows stay inside", implies(dut.read_enable, dut.row < ROWS))
        self.claim("a row that is not read is zero", implies(~dut.read_enable, dut.row == 0))
        stays = past(m, dut.words.valid & ~dut.words.ready)
        kept = dut.words.valid & (dut.words.payload == past(m, dut.words.payload))
        self.claim("no word is overwritten", implies(stays, kept))
        self.claim("no word is left over", implies(asked & (left == 0), ~dut.words.valid))
        self.witness("a second row", past(m, sent, cycles=2), dut.words.valid, left == 1)


class FillsHarness(TransfersHarness):
    """A filler."""

    def build(self, m: Module) -> None:
        """Rows that were asked for and have not been filled."""
        m.submodules.dut = dut = filler.Filler(self.config)
        job = self.take_jobs(m, dut)
        left = self.follow(m, dut.jobs.valid & dut.jobs.ready, job.rows, dut.fills)
        self.claim("rows stay inside", implies(dut.fills, dut.row < ROWS))
        self.claim("all rows are filled", dut.fills == (left != 0))
        self.witness("three rows", left == 1, dut.row == ROWS - 1)


class TransfersProof:
    """What the proofs of the three units share."""

    sizes = (small_memories(2, 1),)
    engine: ClassVar[str] = BOUNDED
    depth: ClassVar[int] = 16

    kind: ClassVar[type[TransfersHarness]]

    def harness(self, size: MemoryConfig) -> TransfersHarness:
        return self.kind(size)


class TestLoads(TransfersProof, ProofTest):
    kind: ClassVar = LoadsHarness
    depth: ClassVar = 8
    bugs: ClassVar = {
        "words stay inside": Bug(loader, "word + 1 == job.words", "word == job.words"),
        "idle when all words are there": Bug(
            loader, "self.idle.eq(~waiting.o.valid & ~requested.o.valid)", "self.idle.eq(1)"
        ),
        "no word is asked for twice": Bug(
            loader,
            "waiting.o.ready.eq(self.transfer.ready & requested.i.ready)",
            "waiting.o.ready.eq(0)",
        ),
    }


class TestStores(TransfersProof, ProofTest):
    kind = StoresHarness
    bugs: ClassVar = {
        "rows stay inside": Bug(storer, "job.row.eq(job.row + 1)", "job.row.eq(job.row + 2)"),
        "a row that is not read is zero": Bug(
            storer,
            "        with m.If(self.read_enable):\n            m.d.comb += self.row.eq(job.row)",
            "        m.d.comb += self.row.eq(job.row)\n        with m.If(self.read_enable):",
        ),
        "no word is overwritten": Bug(
            storer, "(left != 0) & (~self.words.valid | row_ends)", "(left != 0)"
        ),
        "no word is left over": Bug(
            storer, "left.eq(self.jobs.payload.rows)", "left.eq(self.jobs.payload.rows + 1)"
        ),
    }


class TestFills(TransfersProof, ProofTest):
    kind = FillsHarness
    bugs: ClassVar = {
        "rows stay inside": Bug(filler, "row.eq(row + 1)", "row.eq(row + 2)"),
        "all rows are filled": Bug(filler, "left.eq(self.jobs.payload.rows)", "left.eq(1)"),
    }
