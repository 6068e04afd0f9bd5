"""The executor of a board's operations follows the protocols of its targets and never stalls.

Of a board whose host streams operands, and of one whose engine fetches them itself.
"""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.link import executor
from qcnpe.spec.frames import LinkedEngine
from qcnpe.spec.memory.config import MemoryConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest
from tests.formal.small_engine import small
from tests.formal.small_memories import small_memories

_PATIENCE = 3
"""Largest number of cycles between octets, while no target makes it wait."""

_AFTER_END = 4
"""Largest number of cycles from a body's last octet to its end, while no target makes it wait."""


class ExecutorHarness(Harness):
    """An executor that gets any octets: operations, garbage, and bodies that end anywhere.

    Parameters
    ----------
    config : the engine, or the memories of an autonomous one
    """

    def __init__(self, config: LinkedEngine) -> None:
        super().__init__()
        self.config = config
        fed = isinstance(config, MemoryConfig)
        self.streams = ("bus_words",) if fed else ("commands", "parameters")
        self.stores = () if fed else executor.STORES

    def build(self, m: Module) -> None:
        """Every request to its targets, compared with their readiness."""
        m.submodules.dut = dut = executor.Executor(self.config, address_bits=5, store_depth=16)
        free_inputs(m, dut)
        for name in (*self.streams, "values"):
            port = getattr(dut, name)
            waited = past(m, port.valid & ~port.ready)
            payload = port.payload
            self.claim(f"{name} stay", implies(waited, port.valid & (payload == past(m, payload))))
        accesses = [
            getattr(dut, f"{verb}_{name}") for verb in ("write", "start") for name in self.stores
        ]
        playing = Cat(getattr(dut, f"playing_{name}") for name in self.stores)
        if self.stores:
            self.claim(
                "a store that plays is left alone",
                *(implies(access, ~playing[n % 2]) for n, access in enumerate(accesses)),
            )
        register = Cat(dut.register_start, dut.register_write, dut.address, dut.word)
        self.claim(
            "an access to a register stands until it is done",
            implies(
                past(m, dut.register_start & ~dut.register_done), register == past(m, register)
            ),
        )
        targets = [getattr(dut, name) for name in self.streams]
        valid = [target.valid for target in targets]
        self.claim(
            "one target at a time",
            sum(Cat(*valid, dut.values.valid, *accesses, dut.register_start)) <= 1,
        )
        self._claim_liveness(m, dut, playing)
        self.witness("a longest word", targets[0].valid, targets[0].ready)
        if self.stores:
            self.witness("both stores are played", dut.start_weights, past(m, playing[0], cycles=3))
        else:
            self.witness("two words in turn", valid[0], past(m, valid[0] & targets[0].ready))
        ends = dut.octets.valid & dut.octets.ready & dut.octets.payload.last
        self.witness("a body is cut off and done", dut.finished, past(m, ends, cycles=2))

    def _claim_liveness(self, m: Module, dut: Any, playing: Value) -> None:
        """It waits only for its targets and for octets."""
        free = Signal()
        streams = [getattr(dut, name) for name in self.streams]
        ready = Cat(*(stream.ready for stream in streams), dut.values.ready, dut.register_done)
        # Zeros that are fed are words without octets: it works while one of them is taken.
        alone = playing == 0 if self.stores else ~streams[0].valid
        m.d.comb += free.eq(ready.all() & alone)
        stands = dut.octets.valid & ~dut.octets.ready
        self.claim("never stands still", self._age(m, free, stands) <= _PATIENCE)
        taken = dut.octets.valid & dut.octets.ready & dut.octets.payload.last
        unfinished, finished = Signal(8), Signal(8)
        m.d.sync += [unfinished.eq(unfinished + taken - dut.finished)]
        m.d.sync += finished.eq(finished + dut.finished)
        self.claim("each body is done once", unfinished <= 1, implies(dut.finished, unfinished))
        self.claim("bodies are counted", dut.worked_off == (finished + dut.finished)[:8])
        self.claim("done soon", self._age(m, free, (unfinished != 0) & ~dut.finished) <= _AFTER_END)

    def _age(self, m: Module, free: Value, waits: Value) -> Signal:
        """Cycles with work to do in which no target makes it wait."""
        age = Signal(4)
        m.d.sync += age.eq(Mux(waits, age + (free & (age != 15)), 0))
        return age


_STREAMED = Bug(
    executor,
    "accepted.eq(targets[name].ready)",
    "accepted.eq(targets[name].ready | self.octets.valid)",
)
_BUGS = {
    "values stay": Bug(
        executor,
        "with m.If(self.values.ready):",
        "with m.If(self.values.ready | self.octets.valid):",
    ),
    "an access to a register stands until it is done": Bug(
        executor, "accepted.eq(self.register_done)", "accepted.eq(1)"
    ),
    "one target at a time": Bug(
        executor,
        "m.d.comb += self.register_start.eq(1)",
        "m.d.comb += [self.register_start.eq(1), self.values.valid.eq(1)]",
    ),
    "never stands still": Bug(
        executor,
        "with m.If(self.register_done):",
        "with m.If(self.register_done & self.register_write):",
    ),
    "each body is done once": Bug(executor, "~octet.last & (shifted", "(shifted"),
    "bodies are counted": Bug(executor, "self.worked_off + 1", "self.worked_off + 2"),
    "done soon": Bug(executor, "with m.If((left == 1) | ended):", "with m.If(left == 1):"),
}
"""Of what both executors claim."""


class TestExecutor(ProofTest):
    sizes = (small(1, 1), small(1, 2))
    bug_depth = witness_depth = 24
    bugs: ClassVar = {
        **_BUGS,
        "commands stay": _STREAMED,
        "parameters stay": _STREAMED,
        "a store that plays is left alone": Bug(
            executor, 'f"start_{name}").eq(free)]', 'f"start_{name}").eq(1)]'
        ),
    }

    def harness(self, size: LinkedEngine) -> ExecutorHarness:
        return ExecutorHarness(size)


class TestFeedingExecutor(ProofTest):
    sizes = (small_memories(1, 1),)
    bug_depth = witness_depth = 24
    bugs: ClassVar = {
        **_BUGS,
        "bus_words stay": Bug(
            executor, "accepted.eq(target.ready)", "accepted.eq(target.ready | self.octets.valid)"
        ),
    }

    def harness(self, size: LinkedEngine) -> ExecutorHarness:
        return ExecutorHarness(size)
