"""A halted engine begins nothing and discards every word; only the host resumes it, then empty.

It discards the words that a bad command leaves in the queues, and those that are sent after it.
`prove_result_stream` proves that a valid result is never withdrawn, and `prove_results` that tiles
leave complete; a halt affects neither queue.
"""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal

from qcnpe.rtl import halt, sequencer
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, add_open, free_inputs, implies, past
from tests.formal.proof import INDUCTION, ProofTest
from tests.formal.small_engine import small

STREAMS = ("commands", "activations", "weights", "parameters")


class HaltHarness(Harness):
    """A sequencer with free streams and requests, and columns that return at any time."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """The claims about halts and their ends, and the columns in flight."""
        dut = sequencer.Sequencer(self.config)
        inside = add_open(m, "dut", dut)
        free_inputs(m, dut)
        in_array, behind = self._follow_columns(m, dut)
        room, promised = inside["admission.room"], inside["admission.promised"]
        ports = [getattr(dut, name) for name in STREAMS]
        words = Cat(*(port.valid for port in ports))
        active = inside["decoder.active"]
        halted, stays = dut.halted, past(m, dut.halted) & dut.halted
        ordered = Signal()  # the host has asked to resume since it halted the engine last
        asks = dut.resume & (dut.halt | halted)
        m.d.sync += ordered.eq(Mux(dut.halt, dut.resume, asks | ordered & halted))
        cause = inside["decoder.cause"]

        self.claim("begins with a bad command", implies(past(m, cause != 0), halted))
        self.claim("begins with an order", implies(past(m, dut.halt), halted))
        self.claim("tells the cause", implies(past(m, cause != 0), dut.error == past(m, cause)))
        self.claim("keeps the cause", implies(stays, dut.error == past(m, dut.error)))
        self.claim("no error without a halt", implies(dut.error != ErrorCause.NONE, halted))
        self.claim(
            "begins nothing",
            implies(halted, ~(active | dut.beat_valid | dut.tiles.valid | dut.knot.enable)),
        )
        self.claim(
            "takes every word",
            *(implies(halted, port.ready) for port in ports[:3]),
            implies(halted & (in_array == 0), dut.parameters.ready),
        )
        self.claim(
            "leaves promised parameters",
            implies(halted & (in_array != 0), dut.parameters.ready == dut.column_read),
        )
        ends = past(m, halted) & ~halted
        self.claim("ends by an order alone", implies(ends, past(m, ordered)))
        ready = past(m, ordered & halted & ~dut.busy & ~dut.halt)
        self.claim("ends when nothing is left", implies(ready, ends))
        self.claim(
            "ends with nothing left",
            implies(ends, (past(m, words) == 0) & (past(m, in_array + behind) == 0)),
            implies(ends, (inside["beat"] == 0) & (inside["knot_index"] == 0) & (promised == 0)),
            implies(ends, room == self.config.result_depth),
        )
        self.claim(
            "busy is true",
            implies(~dut.busy, ~active & ~dut.commands.valid & (in_array + behind == 0)),
            implies(~dut.busy & halted, words == 0),
        )
        self.invariant(promised == in_array, room + in_array + behind == self.config.result_depth)
        self.invariant(inside["halt.resuming"] == (ordered & halted))
        self.witness("a halt in a tile", past(m, active & dut.halt), halted, inside["beat"] != 0)
        self.witness("all at once", halted, words == 0b1111, in_array != 0)
        self.witness("an end after an error", ends, past(m, dut.error) == ErrorCause.OPCODE)

    def _follow_columns(self, m: Module, dut: sequencer.Sequencer) -> tuple[Signal, Signal]:
        """Columns in the array, and behind it; `prove_admission` proves the assumptions."""
        in_array, behind = Signal(8), Signal(8, name="behind")
        cols = Mux(dut.tiles.valid, dut.tiles.payload.cols, 0)
        m.d.sync += [
            in_array.eq(in_array + cols - dut.column_read),
            behind.eq(behind + dut.column_read - dut.column_returned),
        ]
        self.assume(
            implies(dut.column_read, (in_array != 0) & dut.parameters.valid),
            implies(dut.column_returned, behind != 0),
        )
        return in_array, behind


class TestHalt(ProofTest):
    sizes = (small(1, 1), small(2, 3))
    engine, depth = INDUCTION, 3
    bug_depth = witness_depth = 14
    bugs: ClassVar = {
        "begins with a bad command": Bug(
            halt, "with m.If(self.halt | bad):", "with m.If(self.halt | bad & ~self.resume):"
        ),
        "begins with an order": Bug(
            halt, "with m.If(self.halt | bad):", "with m.If(self.halt & ~self.resume | bad):"
        ),
        "tells the cause": Bug(halt, "with m.If(bad):", "with m.If(bad & ~self.halt):"),
        "keeps the cause": Bug(halt, "with m.If(bad):", "with m.If(bad | self.resume):"),
        "no error without a halt": Bug(
            halt, "with m.If(self.halt | bad):", "with m.If(self.halt):"
        ),
        "begins nothing": Bug(
            sequencer, "decoder.halt.eq(self.halt)", "decoder.halt.eq(self.halt & ~self.busy)"
        ),
        "takes every word": Bug(
            sequencer,
            "weights.ready.eq(tile & activations.valid & ~held | self.halted)",
            "weights.ready.eq(tile & activations.valid & ~held | activations.valid & self.halted)",
        ),
        "leaves promised parameters": Bug(
            sequencer, "self.halted & admission.read_out", "self.halted"
        ),
        "ends by an order alone": Bug(halt, "self.halted & ~ends", "1"),
        "ends when nothing is left": Bug(
            halt, "ends.eq(resuming & ~self.busy", "ends.eq(resuming & ~self.busy & ~self.resume"
        ),
        "ends with nothing left": Bug(
            sequencer, "with m.If(finish_table | self.halted):", "with m.If(finish_table):"
        ),
        "busy is true": Bug(
            sequencer,
            "left = self.activations.valid | self.weights.valid",
            "left = self.weights.valid",
        ),
    }

    def harness(self, size: EngineConfig) -> HaltHarness:
        return HaltHarness(size)
