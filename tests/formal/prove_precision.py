"""The precision control register changes only when a good tile command is taken."""

from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from qcnpe.rtl import decoder, precision
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import EngineConfig
from tests.formal.bugs import Bug
from tests.formal.command_oracle import is_good_tile
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import INDUCTION, ProofTest


class PrecisionHarness(Harness):
    """A decoder that gets any words at any time."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """The register, compared with the request of the last cycle's command."""
        m.submodules.dut = dut = decoder.Decoder(self.config)
        free_inputs(m, dut)
        word, loads = dut.commands.payload, Signal()
        taken = dut.commands.valid & dut.commands.ready & ~dut.halted
        m.d.comb += loads.eq(taken & is_good_tile(word, self.config))
        before = past(m, dut.precision, init=self.config.precisions[0])
        numbered = mode_bits(self.config) > 0
        known, named = Const(0), Const(0 if numbered else 1)
        for mode, width in enumerate(self.config.precisions):
            known = known | (dut.precision == width)
            if numbered:
                named = named | ((dut.precision == width) & (dut.mode == mode))
        self.claim(
            "changes only when a good tile is taken",
            implies(dut.precision != before, past(m, loads)),
        )
        self.claim(
            "takes that tile's precision",
            implies(past(m, loads), dut.precision == past(m, self._granted(dut))),
        )
        self.claim("holds a width of the engine", known)
        self.claim("is numbered by its mode", named)
        self.claim(
            "is left alone while a tile goes on",
            implies(past(m, dut.active & ~dut.finish), dut.precision == before),
        )
        self.witness("changes", dut.precision != before)
        self.witness("changes back to back", dut.precision != before, past(m, dut.finish))

    def _granted(self, dut: decoder.Decoder) -> Value:
        """The width that a command gets: on `gated` not more than the host's ceiling."""
        asked = dut.commands.payload.precision
        if not self.config.kind.is_gated:
            return Value.cast(asked)
        widths = [dut.ceiling == width for width in self.config.precisions]
        self.assume(Cat(*widths).any())
        return Mux(asked < dut.ceiling, asked, dut.ceiling)


class TestPrecision(ProofTest):
    sizes = (
        EngineConfig(rows=1, cols=1, precisions=(16, 4)),
        EngineConfig(rows=2, cols=2, ncu="gated", precisions=(16, 11, 5)),
        EngineConfig(rows=4, cols=2),
    )
    engine, depth = INDUCTION, 3
    bugs: ClassVar = {
        "changes only when a good tile is taken": Bug(
            decoder, "register.load.eq(take & good &", "register.load.eq(take & register.known &"
        ),
        "takes that tile's precision": Bug(
            decoder,
            "register.load.eq(take & good &",
            "register.load.eq(take & good & ~self.finish &",
        ),
        "holds a width of the engine": Bug(
            decoder, "(ErrorCause.PRECISION, tile & ~known_precision)", "(ErrorCause.PRECISION, 0)"
        ),
        "is numbered by its mode": Bug(
            precision,
            "in enumerate(self.config.precisions)",
            "in enumerate(self.config.precisions[1:])",
        ),
        "is left alone while a tile goes on": Bug(
            decoder, "register.load.eq(take & good &", "register.load.eq(good &"
        ),
    }

    def harness(self, size: EngineConfig) -> PrecisionHarness:
        return PrecisionHarness(size)
