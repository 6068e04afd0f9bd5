"""A bad command is reported with its first cause and never executed; while halted, none is."""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal

from qcnpe.rtl import decoder
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.command_oracle import first_cause
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import INDUCTION, ProofTest


class BadCommandHarness(Harness):
    """A decoder with any words at any time; `prove_halt` proves the assumptions about halts."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """The decoder's state, compared with the right response to the last cycle's command."""
        m.submodules.dut = dut = decoder.Decoder(self.config)
        free_inputs(m, dut)
        cause, taken = Signal(4), Signal()
        m.d.comb += [
            cause.eq(first_cause(dut.commands.payload, self.config)),
            taken.eq(dut.commands.valid & dut.commands.ready & ~dut.halted),
        ]
        begun = past(m, dut.halt | dut.halted | (dut.cause != ErrorCause.NONE))
        self.assume(implies(dut.halted, begun))
        good, bad = past(m, taken & (cause == 0)), past(m, taken & (cause != 0))
        held = Cat(dut.command.as_value(), dut.row_mask, dut.col_mask, dut.precision)
        if "mode" in dut.signature.members:
            held = Cat(held, dut.mode)
        started, was_held = past(m, 1), past(m, held)
        self.claim("is never in progress", implies(bad, ~dut.active))
        self.claim("leaves all else alone", implies(started & ~good, held == was_held))
        self.claim("raises its first cause", dut.cause == Mux(taken, cause, ErrorCause.NONE))
        self.claim("good commands are carried out", implies(good & ~past(m, dut.halt), dut.active))
        self.claim("none is in progress in a halt", implies(dut.halted, ~dut.active))
        self.claim("a halt takes them all", implies(dut.halted, dut.commands.ready))
        for code in ErrorCause:
            if code != ErrorCause.NONE:
                self.witness(code.name, bad, past(m, dut.cause) == code)
        self.witness("a good one after a halt", past(m, dut.halted, cycles=2), good, dut.active)


class TestBadCommand(ProofTest):
    sizes = (
        EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,)),
        EngineConfig(rows=4, cols=2, precisions=(16, 4)),
    )
    engine, depth = INDUCTION, 3
    bugs: ClassVar = {
        "is never in progress": Bug(
            decoder, "self.active.eq(good)", "self.active.eq(self.commands.valid)"
        ),
        "leaves all else alone": Bug(
            decoder, "with m.If(good):", "with m.If(self.commands.valid):"
        ),
        "raises its first cause": Bug(decoder, "in reversed(checks)", "in checks"),
        "good commands are carried out": Bug(
            decoder, "(word.cols > config.cols)", "(word.cols >= config.cols)"
        ),
        "none is in progress in a halt": Bug(
            decoder, "with m.If(self.halt):", "with m.If(self.halt & ~self.finish):"
        ),
        "a halt takes them all": Bug(
            decoder, "ready.eq(~self.active | self.finish)", "ready.eq(~self.active & ~self.halted)"
        ),
    }

    def harness(self, size: EngineConfig) -> BadCommandHarness:
        return BadCommandHarness(size)
