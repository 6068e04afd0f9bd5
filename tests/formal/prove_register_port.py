"""The register file behind AXI4-Lite follows the protocol, its access rights and the strobes."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl import axi
from qcnpe.spec.commands import Field
from qcnpe.spec.registers import Access, Register
from tests.formal.axi_rules import LiteRules, lite_channels
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import INDUCTION, ProofTest

OKAY, SLVERR = 0, 2

_WORD = (Field("word", 32, "a whole word"),)
KNOWN = Register("known", 0x04, Access.READ, _WORD)
ORDER = Register("order", 0x08, Access.WRITE, _WORD)
KEPT = Register("kept", 0x10, Access.READ_WRITE, _WORD)


class RegisterPortHarness(Harness):
    """Three registers of the three kinds, and a manager that does anything that AXI allows."""

    def build(self, m: Module) -> None:
        """The bus, and a model of the registers."""
        m.submodules.dut = dut = axi.AxiLiteRegisters((KNOWN, ORDER, KEPT))
        free_inputs(m, dut, but=("value_kept",))
        kept = Signal(32)
        m.d.comb += dut.value_kept.eq(kept)
        with m.If(dut.written_kept):
            m.d.sync += kept.eq(dut.data)
        channels = lite_channels(dut, "axi")
        rules = LiteRules(self, m, channels)
        rules.claim_offers()
        rules.claim_answers()
        self._claim_writes(m, dut, kept)
        self._claim_reads(m, dut, kept)
        self.invariant(implies(dut.axi_awready, dut.axi_awvalid & dut.axi_wvalid))
        self.invariant(implies(dut.axi_awready, ~dut.axi_bvalid))
        self.witness("a byte is written", past(m, kept) == 0, kept == 0xFF00)
        self.witness("refused", dut.axi_bvalid & (dut.axi_bresp == SLVERR))
        self.witness(
            "a write and a read are answered at once",
            *(channels[name].moves for name in ("b", "r")),
        )

    def _claim_writes(self, m: Module, dut: Any, kept: Signal) -> None:
        """Address and data are taken together, and take effect."""
        taken = dut.axi_awvalid & dut.axi_awready
        self.claim("address and data together", taken == (dut.axi_wvalid & dut.axi_wready))
        word = dut.axi_awaddr >> 2 << 2
        merged = Cat(
            *(
                Mux(dut.axi_wstrb[n], dut.axi_wdata.word_select(n, 8), kept.word_select(n, 8))
                for n in range(4)
            )
        )
        expected = Mux(taken & (word == KEPT.offset), merged, kept)
        self.claim("strobes choose the bytes", kept == past(m, expected))
        bytes_ = Cat(*(strobe.replicate(8) for strobe in dut.axi_wstrb))
        self.claim(
            "an order is given by its bytes alone",
            dut.written_order == (taken & (word == ORDER.offset)),
            implies(dut.written_order, dut.data == (dut.axi_wdata & bytes_)),
        )
        allowed = (word == KEPT.offset) | (word == ORDER.offset)
        response = Mux(allowed, OKAY, SLVERR)
        self.claim(
            "writes are refused where they are not allowed",
            implies(past(m, taken), dut.axi_bvalid & (dut.axi_bresp == past(m, response))),
        )

    def _claim_reads(self, m: Module, dut: Any, kept: Signal) -> None:
        taken = dut.axi_arvalid & dut.axi_arready
        word = dut.axi_araddr >> 2 << 2
        value: Value = Mux(word == KEPT.offset, kept, 0)
        value = Mux(word == KNOWN.offset, dut.value_known, value)
        allowed = (word == KEPT.offset) | (word == KNOWN.offset)
        found = Cat(dut.axi_rdata, dut.axi_rresp)
        expected = Cat(value, Mux(allowed, OKAY, SLVERR))
        self.claim(
            "reads give what there was",
            implies(past(m, taken), dut.axi_rvalid & (found == past(m, expected))),
        )


class TestRegisterPort(ProofTest):
    sizes = ("three registers",)
    engine, depth = INDUCTION, 5
    bug_depth = witness_depth = 10
    bugs: ClassVar = {
        "responses stay": Bug(axi, "with m.Elif(self.axi_bready):", "with m.Else():"),
        "no exclusive responses": Bug(axi, "_OKAY, _SLVERR = 0, 2", "_OKAY, _SLVERR = 0, 1"),
        "responses only after requests": Bug(
            axi,
            "take.eq(self.axi_arvalid & self.axi_arready)",
            "take.eq(self.axi_arvalid | self.axi_arready)",
        ),
        "answers soon": Bug(
            axi, "& ~take & ~self.axi_bvalid)", "& ~take & ~self.axi_bvalid & self.axi_bready)"
        ),
        "address and data together": Bug(
            axi, "self.axi_wready.eq(take)", "self.axi_wready.eq(take & self.axi_wstrb.any())"
        ),
        "strobes choose the bytes": Bug(
            axi, "self.axi_wdata & strobes | kept & ~strobes", "self.axi_wdata & strobes"
        ),
        "an order is given by its bytes alone": Bug(
            axi, "self.axi_wdata & strobes |", "self.axi_wdata |"
        ),
        "writes are refused where they are not allowed": Bug(
            axi, "axi_bresp.eq(Mux(known,", "axi_bresp.eq(Mux(known | self.axi_wstrb.all(),"
        ),
        "reads give what there was": Bug(
            axi, "self.axi_rdata.eq(value)", "self.axi_rdata.eq(Mux(known, value, self.data))"
        ),
    }

    def harness(self, size: str) -> RegisterPortHarness:
        return RegisterPortHarness()
