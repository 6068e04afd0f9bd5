"""All six buses of an engine follow AXI's rules, for any requests and resets of the host.

This proof is of the complete engine, and bounded by its depth. `prove_register_port`,
`prove_result_stream`, `prove_results` and `prove_halt` prove the same of its parts without a bound.
"""

from dataclasses import replace
from typing import Any, ClassVar

from amaranth.hdl import ClockSignal, DomainRenamer, Module, Mux, Signal, Value

from qcnpe.rtl import axi, decoder, sequencer, top
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.registers import registers
from tests.formal.axi_rules import (
    LiteRules,
    keeps_offer,
    lite_channels,
    silent_after_reset,
    stream_channel,
)
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import BOUNDED, BOUNDED_WITH_MEMORY, ProofTest
from tests.formal.small_engine import small

STREAMS = ("commands", "activations", "weights", "parameters")
_CONTROL = next(entry for entry in registers(small(1, 1)) if entry.name == "control")
_HALT = 1 << [field.name for field in _CONTROL.fields].index("halt")


class BusesHarness(Harness):
    """An engine whose managers do anything that AXI allows."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def build(self, m: Module) -> None:
        """The rules at each port."""
        dut = top.Top(self.config)
        m.submodules.dut = DomainRenamer("engine")(dut)  # its domain is its own
        free_inputs(m, dut, but=("aclk",))
        m.d.comb += dut.aclk.eq(ClockSignal())
        resets = ~dut.aresetn
        for name in STREAMS:
            source = stream_channel(dut, f"s_axis_{name}")
            self.assume(keeps_offer(m, source, resets), silent_after_reset(m, source, resets))
        port = lite_channels(dut, "s_axil")
        results = stream_channel(dut, "m_axis_results", last=True)
        rules = LiteRules(self, m, port, resets)
        rules.claim_offers()
        rules.claim_answers()
        self.claim("results stay", keeps_offer(m, results, resets))
        self.claim(
            "silent after a reset",
            *(silent_after_reset(m, source, resets) for source in (results, port["b"], port["r"])),
        )
        halted = self._follow_orders(m, dut, resets)
        for name in STREAMS[:3]:
            source = stream_channel(dut, f"s_axis_{name}")
            waits = past(m, halted & source.valid & ~source.ready)
            self.claim(f"a halt takes {name}", implies(waits & halted, source.ready))
        waits = results.valid & ~results.ready & dut.aresetn & halted
        self.witness("results wait in a halt", past(m, waits), results.moves)

    def _follow_orders(self, m: Module, dut: Any, resets: Value) -> Signal:
        """A halt was written and answered, and nothing has been written since."""
        halted, address, data = Signal(name="halted"), Signal(8), Signal(32)
        aw, w, b = (lite_channels(dut, "s_axil")[name] for name in ("aw", "w", "b"))
        with m.If(aw.moves):
            m.d.sync += address.eq(dut.s_axil_awaddr)
        with m.If(w.moves):
            m.d.sync += data.eq(Mux(dut.s_axil_wstrb[0], dut.s_axil_wdata, 0))
        with m.If(b.moves):
            m.d.sync += halted.eq((address >> 2 == _CONTROL.offset >> 2) & (data[:2] == _HALT))
        with m.If(resets | aw.valid | w.valid):
            m.d.sync += halted.eq(0)
        return halted


class TestBuses(ProofTest):
    sizes = (replace(small(1, 1), counters=False),)
    engine, depth = BOUNDED, 18
    bug_engine = BOUNDED_WITH_MEMORY
    bug_depth = witness_depth = 16
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
        "results stay": Bug(
            top, "ResetSignal().eq(~self.aresetn)", "ResetSignal().eq(~self.aresetn | self.error)"
        ),
        "silent after a reset": Bug(
            top, "ResetSignal().eq(~self.aresetn)", "ResetSignal().eq(~self.aresetn & ~self.busy)"
        ),
        "a halt takes commands": Bug(
            decoder,
            "ready.eq(~self.active | self.finish)",
            "ready.eq((~self.active & ~self.halted) | self.finish)",
        ),
        "a halt takes activations": Bug(
            sequencer,
            "activations.ready.eq(tile & weights.valid & ~held | self.halted)",
            "activations.ready.eq((tile | self.halted) & weights.valid & ~held)",
        ),
        "a halt takes weights": Bug(
            sequencer,
            "weights.ready.eq(tile & activations.valid & ~held | self.halted)",
            "weights.ready.eq((tile | self.halted) & activations.valid & ~held)",
        ),
    }

    def harness(self, size: EngineConfig) -> BusesHarness:
        return BusesHarness(size)
