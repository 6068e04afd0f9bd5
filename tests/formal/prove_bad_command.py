"""A bad command does nothing but raise the error; the first cause stays until it is cleared."""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal, Value

from qcnpe.rtl import decoder
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.command_oracle import first_cause
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import INDUCTION, ProofTest


class BadCommandHarness(Harness):
    """A decoder that gets any words at any time."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """All that the decoder holds, beside what the last cycle's command deserved."""
        m.submodules.dut = dut = decoder.Decoder(self.config)
        free_inputs(m, dut)
        cause, taken = Signal(4), Signal()
        m.d.comb += [
            cause.eq(first_cause(dut.commands.payload, self.config)),
            taken.eq(dut.commands.valid & dut.commands.ready),
        ]
        error = Value.cast(dut.error)
        good, bad = past(m, taken & (cause == 0)), past(m, taken & (cause != 0))
        cleared, before = past(m, dut.clear_error), past(m, error)
        held = Cat(dut.command.as_value(), dut.row_mask, dut.col_mask, dut.precision)
        if "mode" in dut.signature.members:
            held = Cat(held, dut.mode)
        started = past(m, 1)
        was_held = past(m, held)
        self.claim("is never in progress", implies(bad, ~dut.active))
        self.claim("leaves all else alone", implies(started & ~good, held == was_held))
        self.claim(
            "raises its first cause",
            implies(bad & ~cleared & (before == ErrorCause.NONE), error == past(m, cause)),
        )
        self.claim(
            "keeps an earlier cause",
            implies((before != ErrorCause.NONE) & ~cleared, error == before),
        )
        self.claim("can be cleared", implies(cleared, error == ErrorCause.NONE))
        self.claim(
            "is the only thing that raises an error",
            implies((before == ErrorCause.NONE) & ~bad, error == ErrorCause.NONE),
        )
        self.claim("good commands are carried out", implies(good, dut.active))
        for code in ErrorCause:
            if code != ErrorCause.NONE:
                self.witness(code.name, bad, error == code)
        self.witness("a good one after it", past(m, bad), good, dut.active)


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
        "keeps an earlier cause": Bug(
            decoder,
            "take & self.commands.valid & (self.error == ErrorCause.NONE)",
            "take & self.commands.valid & (cause != ErrorCause.NONE)",
        ),
        "can be cleared": Bug(
            decoder, "with m.If(self.clear_error):", "with m.If(self.clear_error & ~take):"
        ),
        "is the only thing that raises an error": Bug(
            decoder, "(word.rows > config.rows)", "(word.rows >= config.rows)"
        ),
        "good commands are carried out": Bug(
            decoder, "(word.cols > config.cols)", "(word.cols >= config.cols)"
        ),
    }

    def harness(self, size: EngineConfig) -> BadCommandHarness:
        return BadCommandHarness(size)
