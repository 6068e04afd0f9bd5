"""After the last beat of a tile nothing has to wait: queues have room, parameters are queued.

The array, the activation function units (AFUs) and the collector are modelled as accounts that move
columns on at any time, so that the proof holds for every timing, and for each row: a masked row
only gets fewer results.
"""

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal

from qcnpe.rtl import admission
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from qcnpe.spec.cycles import DRAIN_AFTER_TABLE
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, add_open, free, free_inputs, implies
from tests.formal.proof import INDUCTION, ProofTest
from tests.formal.small_engine import small


class AdmissionHarness(Harness):
    """The counters of `Admission` compared with accounts of each column."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """A reserved column is in the array, then in an AFU, then in its row's queue, then gone."""
        config = self.config
        dut = admission.Admission(config)
        inside = add_open(m, "dut", dut)
        free_inputs(m, dut, but=("parameters_waiting", "collector_ready"))
        in_array, in_afu, in_queue, words = (
            Signal(8, name=name) for name in ("in_array", "in_afu", "in_queue", "words")
        )
        tiles, arrive, word_comes, tile_ends = Signal(5), Signal(), Signal(), Signal()
        free(m, arrive, word_comes, tile_ends)
        m.d.comb += [
            dut.parameters_waiting.eq(words),
            dut.collector_ready.eq(tiles < TILES_IN_FLIGHT),
        ]
        m.d.sync += [
            in_array.eq(in_array + Mux(dut.finish, dut.cols, 0) - dut.column_read),
            in_afu.eq(in_afu + dut.column_read - arrive),
            in_queue.eq(in_queue + arrive - dut.column_returned),
            words.eq(words + word_comes - dut.column_read),
            tiles.eq(tiles + dut.finish - tile_ends),
        ]
        ready = dut.drain_ready & dut.results_ready & dut.parameters_ready
        self.assume(
            implies(dut.finish, ready & (dut.cols >= 1) & (dut.cols <= config.cols)),
            implies(dut.column_read, in_array != 0),
            implies(arrive, in_afu != 0),
            implies(dut.column_returned, in_queue != 0),
            implies(word_comes, words != config.parameter_depth),
            implies(tile_ends, tiles != 0),
        )
        silent = Signal(8)  # cycles until the next sum cannot overtake a result
        after = Mux(dut.is_table, DRAIN_AFTER_TABLE, 0)
        m.d.sync += silent.eq(Mux(dut.finish, dut.cols - 1 + after, silent - (silent != 0)))
        self.claim("sums of tiles stay apart", implies(dut.finish, silent == 0))
        self.invariant(silent == inside["draining"])
        on_their_way = in_array + in_afu + in_queue
        self.claim("rows have room", implies(arrive, in_queue < config.result_depth))
        self.claim("the collector takes the tile", implies(dut.finish, tiles < TILES_IN_FLIGHT))
        self.claim("parameters are there", implies(dut.column_read, words != 0))
        self.claim("a table waits for all results", implies(dut.drained, on_their_way == 0))
        self.invariant(inside["room"] + on_their_way == config.result_depth)
        self.invariant(inside["promised"] == in_array, words >= in_array)
        self.invariant(words <= config.parameter_depth)
        self.invariant(tiles <= TILES_IN_FLIGHT)
        self.witness("a queue is full", in_queue == config.result_depth)
        self.witness("the last word is read", dut.column_read, words == 1, in_array == 1)


class TestAdmission(ProofTest):
    sizes = (small(1, 1), small(2, 2), small(4, 4))
    engine, depth = INDUCTION, 3
    bug_depth = witness_depth = 40
    bugs: ClassVar = {
        "rows have room": Bug(admission, "(room >= self.cols) &", "(room != 0) &"),
        "sums of tiles stay apart": Bug(
            admission, "Mux(self.is_table, DRAIN_AFTER_TABLE, 0)", "Mux(self.is_table, 1, 0)"
        ),
        "the collector takes the tile": Bug(admission, " & self.collector_ready", ""),
        "parameters are there": Bug(
            admission,
            "self.parameters_waiting >= promised + self.cols",
            "self.parameters_waiting >= self.cols",
        ),
        "a table waits for all results": Bug(
            admission, "self.drained.eq(room == depth)", "self.drained.eq(draining == 0)"
        ),
    }

    def harness(self, size: EngineConfig) -> AdmissionHarness:
        return AdmissionHarness(size)
