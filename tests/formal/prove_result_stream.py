"""A beat of results stays stable until it is taken."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Signal, Value

from qcnpe.rtl import collector
from qcnpe.rtl.result_queue import slices
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, Inside, add_open, free_inputs, implies, past
from tests.formal.proof import BOUNDED_WITH_MEMORY, INDUCTION, ProofTest
from tests.formal.queues import is_sound, is_sound_slice
from tests.formal.small_engine import small


class ResultStreamHarness(Harness):
    """A collector with any tiles and any results that it has room for.

    A slice of a queue holds those results of which it is wanted, as the tiles in the collector's
    queue say; the AFUs (activation function units) of all rows know the same. A pooling window that
    is half masked is left out: its command is a bad one.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """The stream, compared with that of one cycle ago."""
        dut = collector.Collector(self.config)
        inside = add_open(m, "dut", dut)
        free_inputs(m, dut)
        output, payload = dut.output, Value.cast(dut.output.payload)
        waited = past(m, output.valid & ~output.ready)
        self.claim("stays valid", implies(waited, output.valid))
        tile = collector.tile_layout(self.config)(inside["tile_queue.o__payload"])
        self.claim(
            "payload stays",
            implies(waited & past(m, _has_whole_windows(tile)), payload == past(m, payload)),
        )
        word_bits = collector.tile_layout(self.config).size
        self.invariant(is_sound(inside, "tile_queue", word_bits, TILES_IN_FLIGHT))
        for row in range(self.config.rows):
            self._follow_queue(m, dut, inside, row)
        self.witness("a beat waits and leaves", waited, output.valid, output.ready, payload != 0)

    def _follow_queue(self, m: Module, dut: collector.Collector, inside: Inside, row: int) -> None:
        """The words in each slice of a row's queue."""
        name, tile = f"queue_{row}", collector.tile_layout(self.config)(inside["tile"])
        depth, level = self.config.result_depth, inside[f"{name}.level"]
        push, entering = dut.result_valid[row], dut.copies[row].wanted
        pools = [pool for pool in range(3) if (row + 1) % (1 << pool) == 0]
        has_result = tile.row_mask[row] & Cat(tile.pool == pool for pool in pools).any()
        pop = inside["moved"] & has_result
        self.assume(implies(push, level != depth))
        self.invariant(level <= depth)
        for part, fields in slices(self.config).items():
            enters, leaves = (
                Cat(wanted[field] for field in fields).any() for wanted in (entering, tile.wanted)
            )
            words = Signal(range(depth + 1), name=f"{name}_{part}_words")
            m.d.sync += words.eq(words + (push & enters) - (pop & leaves))
            self.assume(words <= level, implies((level != 0) & leaves, words != 0))
            self.invariant(is_sound_slice(inside, name, part, depth, words))


def _has_whole_windows(tile: Any) -> Value:
    """Rows that are pooled together are all active or all masked; see `prove_bad_command`."""
    rows = range(len(tile.row_mask))
    pairs = [tile.row_mask[row] == tile.row_mask[row ^ 1] for row in rows if row ^ 1 in rows]
    return (tile.pool == 0) | (tile.pool == 1) & (len(rows) % 2 == 0) & Cat(*pairs).all()


class TestResultStream(ProofTest):
    sizes = (small(1, 1), small(2, 2), EngineConfig(rows=1, cols=1, precisions=(16, 8)))
    engine, depth = INDUCTION, 2
    bug_engine = BOUNDED_WITH_MEMORY
    bug_depth = witness_depth = 6
    bugs: ClassVar = {
        "stays valid": Bug(
            collector,
            "complete = known & ",
            "complete = known & ~self.tiles.valid & ",
        ),
        "payload stays": Bug(
            collector,
            "tile.eq(queue.o.payload), queue.o.ready.eq(leaves)",
            "tile.eq(Mux(self.tiles.valid, self.tiles.payload.as_value(), queue.o.payload)),"
            " queue.o.ready.eq(leaves)",
        ),
    }

    def harness(self, size: EngineConfig) -> ResultStreamHarness:
        return ResultStreamHarness(size)
