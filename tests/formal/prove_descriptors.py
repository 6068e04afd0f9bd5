"""Descriptors: what is refused never begins, transfers stay in their memories, every list ends.

A list without jumps ends since its rows follow one another, each descriptor ends if the units that
it waits for do, and the row behind the memory is refused. Jumps are the list's own affair: one that
jumps back for ever is ended by the host.
"""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.memory import descriptor_check, processor
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Fault, Operation
from tests.formal.bugs import Bug
from tests.formal.harness import free, free_inputs, implies, past
from tests.formal.memory_manager import PATIENCE, count_up
from tests.formal.proof import BOUNDED, ProofTest
from tests.formal.small_memories import MemoryHarness, small_memories

TILES = ("commands", "parameters", "taps", "writes")
TRANSFERS = ("stores", "fills")
BUSY_CYCLES = 5
"""Cycles within which a unit ends what it took last."""

END_CYCLES = 15
"""Cycles within which a descriptor ends if units take it soon, and end in `BUSY_CYCLES`."""


class DescriptorsHarness(MemoryHarness):
    """A processor with any descriptors, and units that finish soon what they take."""

    def build(self, m: Module) -> None:
        """The descriptor that was read stays, and so do the registers of a run."""
        m.submodules.dut = dut = processor.Processor(self.config)
        free_inputs(m, dut, but=("loads_idle", "tiles_idle", "stores_idle"))
        for register in (dut.boot_rows, dut.start_row):
            self.assume(self._is_first(m) | (register == past(m, register)))
        self.assume(past(m, dut.read_enable) | (dut.descriptor == past(m, dut.descriptor)))
        self._build_units(m, dut)
        offers = Cat(*(getattr(dut, name).valid for name in (*TILES, *TRANSFERS, "loads")))
        refused = dut.fault != Fault.NONE
        self.claim(
            "what is refused never begins",
            implies(refused, (offers == 0) & ~dut.done & ~dut.read_enable),
        )
        self._claim_bounds(dut)
        tiles = Cat(*(getattr(dut, name).valid for name in TILES))
        moves = Cat(*(getattr(dut, name).valid for name in TRANSFERS))
        self.claim("stores follow tiles", implies(moves, dut.tiles_idle))
        self.claim("tiles follow stores", implies(tiles, dut.stores_idle))
        idle = dut.loads_idle & dut.tiles_idle & dut.stores_idle
        self.claim("a run ends with nothing left", implies(dut.done, idle))
        self._claim_order(m, dut, refused)
        self.witness("a load after a boot", dut.loads.valid, dut.boot_rows != 0, dut.row == 1)
        self.witness("an end after tiles", dut.done, past(m, ~dut.tiles_idle))
        self.witness("a refused load", dut.fault == Fault.WORDS)

    def _claim_order(self, m: Module, dut: Any, refused: Value) -> None:
        """Rows follow one another, and each takes a bounded time."""
        runs, begun = Signal(), Signal()
        m.d.sync += runs.eq((runs | dut.start) & ~dut.done)
        m.d.sync += begun.eq((begun | dut.read_enable) & ~dut.done)
        jumped = past(m, dut.descriptor[:4]) == Operation.JUMP
        self.claim(
            "rows follow one another",
            implies(dut.read_enable & begun & ~jumped, dut.address == (dut.row + 1)[:2]),
        )
        beyond = Mux(begun, dut.address, dut.start_row) >= self.config.descriptor_rows
        refuses = implies(past(m, dut.read_enable & beyond), dut.fault == Fault.ROWS)
        self.claim("the end of the memory is refused", refuses)
        works = runs & ~refused & ~dut.read_enable & ~dut.done
        self.claim("every descriptor ends", count_up(m, works) < END_CYCLES)

    def _is_first(self, m: Module) -> Value:
        later = Signal(name="later")
        m.d.sync += later.eq(1)
        return ~later

    def _build_units(self, m: Module, dut: Any) -> None:
        """A unit is busy from a job on until it ends, soon."""
        for idle, names in (
            ("loads_idle", ("loads",)),
            ("tiles_idle", TILES),
            ("stores_idle", TRANSFERS),
        ):
            busy, ends = Signal(name=f"{idle}_not"), Signal(name=f"{idle}_ends")
            free(m, ends)
            ports = [getattr(dut, name) for name in names]
            takes = Cat(*(port.valid & port.ready for port in ports)).any()
            m.d.sync += busy.eq(Mux(takes, 1, busy & ~ends))
            m.d.comb += getattr(dut, idle).eq(~busy)
            self.assume(count_up(m, busy & ~takes) < BUSY_CYCLES)
            for port in ports:
                self.assume(count_up(m, port.valid & ~port.ready) < PATIENCE)

    def _claim_bounds(self, dut: Any) -> None:
        """Rows and bus words of loads, stores and fills exist."""
        config, load, store, fill = (
            self.config,
            *(getattr(dut, name).payload for name in ("loads", "stores", "fills")),
        )
        inside = [
            (load.memory == memory)
            & (load.row + load.rows <= config.depth(memory))
            & (load.words <= config.row_words(memory))
            for memory in Memory
        ]
        banks, words = config.activation_rows, config.row_words(Memory.ACTIVATIONS)
        self.claim("loads stay inside", implies(dut.loads.valid, Cat(*inside).any()))
        self.claim(
            "stores stay inside",
            implies(dut.stores.valid, (store.row + store.rows <= banks) & (store.words <= words)),
        )
        self.claim("fills stay inside", implies(dut.fills.valid, fill.row + fill.rows <= banks))


class TestDescriptors(ProofTest):
    sizes = (small_memories(1, 1),)
    engine, depth = BOUNDED, 20
    bugs: ClassVar = {
        "what is refused never begins": Bug(
            processor,
            "Mux(check.fault == Fault.NONE, State.EXECUTE, State.FINISH)",
            "State.EXECUTE",
        ),
        "loads stay inside": Bug(
            descriptor_check, "(asked.rows == 0) | (end > depth)", "(asked.rows == 0)"
        ),
        "stores stay inside": Bug(
            descriptor_check, "(asked.words == 0) | (asked.words > words)", "(asked.words == 0)"
        ),
        "fills stay inside": Bug(
            descriptor_check, "end.eq(asked.row + asked.rows)", "end.eq(asked.rows)"
        ),
        "stores follow tiles": Bug(processor, "wanted = wanted & self.tiles_idle", "pass"),
        "tiles follow stores": Bug(
            processor, "have = [taken[names[0]], self.stores_idle]", "have = [taken[names[0]]]"
        ),
        "a run ends with nothing left": Bug(
            processor, "self.done.eq(self.loads_idle & self.tiles_idle)", "self.done.eq(1)"
        ),
        "rows follow one another": Bug(
            processor, "following.eq(following + 1)", "following.eq(following)"
        ),
        "the end of the memory is refused": Bug(
            processor, "with m.If(following >= depth):", "with m.If(following > depth):"
        ),
        "every descriptor ends": Bug(
            processor,
            "goes_on.eq(~waits & ~(wait.tiles & ~self.tiles_idle))",
            "goes_on.eq(~waits & ~wait.tiles)",
        ),
    }

    def harness(self, size: MemoryConfig) -> DescriptorsHarness:
        return DescriptorsHarness(size)
