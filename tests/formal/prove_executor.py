"""The executor of a board's operations follows the protocols of its targets and never stalls."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.link import executor
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest
from tests.formal.small_engine import small

_PATIENCE = 3
"""Largest number of cycles between octets, while no target makes it wait."""

_AFTER_END = 4
"""Largest number of cycles from a body's last octet to its end, while no target makes it wait."""

_STREAMS = ("commands", "parameters", "values")


class ExecutorHarness(Harness):
    """An executor that gets any octets: operations, garbage, and bodies that end anywhere."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """Every request to its targets, compared with their readiness."""
        m.submodules.dut = dut = executor.Executor(self.config, address_bits=5, store_depth=16)
        free_inputs(m, dut)
        for name in _STREAMS:
            port = getattr(dut, name)
            waited = past(m, port.valid & ~port.ready)
            payload = port.payload
            self.claim(f"{name} stay", implies(waited, port.valid & (payload == past(m, payload))))
        accesses = [
            getattr(dut, f"{verb}_{name}")
            for verb in ("write", "start")
            for name in executor.STORES
        ]
        playing = Cat(dut.playing_activations, dut.playing_weights)
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
        targets = Cat(dut.commands.valid, dut.parameters.valid, dut.values.valid, *accesses)
        asked = Cat(targets, dut.register_start)
        self.claim("one target at a time", sum(asked) <= 1)
        self._claim_liveness(m, dut, playing)
        self.witness("a word of eight octets", dut.commands.valid, dut.commands.ready)
        self.witness("both stores are played", dut.start_weights, past(m, playing[0], cycles=3))
        ends = dut.octets.valid & dut.octets.ready & dut.octets.payload.last
        self.witness("a body is cut off and done", dut.finished, past(m, ends, cycles=2))

    def _claim_liveness(self, m: Module, dut: Any, playing: Value) -> None:
        """It waits only for its targets and for octets."""
        free = Signal()
        ready = (dut.commands.ready, dut.parameters.ready, dut.values.ready, dut.register_done)
        m.d.comb += free.eq(Cat(*ready).all() & (playing == 0))
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


class TestExecutor(ProofTest):
    sizes = (small(1, 1), small(1, 2))
    bug_depth = witness_depth = 24
    bugs: ClassVar = {
        **dict.fromkeys(
            ("commands stay", "parameters stay"),
            Bug(
                executor,
                "accepted.eq(target.ready)",
                "accepted.eq(target.ready | self.octets.valid)",
            ),
        ),
        "values stay": Bug(
            executor,
            "with m.If(self.values.ready):",
            "with m.If(self.values.ready | self.octets.valid):",
        ),
        "a store that plays is left alone": Bug(
            executor, 'f"start_{name}").eq(free)]', 'f"start_{name}").eq(1)]'
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

    def harness(self, size: EngineConfig) -> ExecutorHarness:
        return ExecutorHarness(size)
