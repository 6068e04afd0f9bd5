"""A board's access to the registers follows AXI4-Lite's rules, and ends."""

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.link import register_access
from tests.formal.axi_rules import PATIENCE, keeps_offer, lite_channels
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies, past
from tests.formal.proof import ProofTest

_LONGEST = 2 * (PATIENCE + 1)
"""Cycles of an access: its request is taken, then it is answered."""


class RegisterAccessHarness(Harness):
    """A manager with any requests, and a subordinate that answers within a bound.

    The subordinate takes the address and the data of a write in one cycle, which `AxiLiteRegisters`
    is proved to do in `prove_register_port`.
    """

    def build(self, m: Module) -> None:
        """Requests that are taken and not answered yet."""
        m.submodules.dut = dut = register_access.RegisterAccess(address_bits=4)
        free_inputs(m, dut)
        bus = lite_channels(dut, "axi")
        open_ = {}
        for request, answer in (("aw", "b"), ("ar", "r")):
            count = open_[request] = Signal(2, name=f"open_{request}")
            m.d.sync += count.eq(count + bus[request].moves - bus[answer].moves)
            self.assume(
                implies(bus[answer].valid, count != 0),
                keeps_offer(m, bus[answer]),
                self._age(m, bus[request].valid & ~bus[request].ready) <= PATIENCE,
                self._age(m, (count != 0) & ~bus[answer].valid) <= PATIENCE,
            )
        self.assume(bus["aw"].moves == bus["w"].moves)
        order = Cat(dut.start, dut.write, dut.address, dut.data)
        self.assume(implies(past(m, dut.start & ~dut.done), order == past(m, order)))
        answered = bus["b"].moves | bus["r"].moves
        self.claim("offers stand", *(keeps_offer(m, bus[name]) for name in ("aw", "w", "ar")))
        asked = open_["aw"] + open_["ar"]
        requests = bus["aw"].valid | bus["w"].valid | bus["ar"].valid
        self.claim("one request for each access", implies(asked != 0, ~requests), asked <= 1)
        self.claim("nothing without being told", implies(requests, dut.start))
        self.claim(
            "what it was told",
            implies(
                bus["aw"].moves,
                dut.write & (bus["aw"].payload[:4] == dut.address) & bus["w"].valid,
            ),
            implies(bus["w"].valid, bus["w"].payload == Cat(dut.data, ~Value.cast(0).replicate(4))),
            implies(bus["ar"].moves, ~dut.write & (bus["ar"].payload[:4] == dut.address)),
        )
        self.claim("done with the answer", dut.done == answered)
        self.claim("the value is the answer's", implies(bus["r"].moves, dut.value == dut.axi_rdata))
        self.claim("done soon", self._age(m, dut.start & ~dut.done) <= _LONGEST)
        self.witness("a write after a read", bus["b"].moves, past(m, dut.start), dut.start)
        self.witness(
            "the slowest access", dut.done, past(m, self._age(m, dut.start & ~dut.done)) == 6
        )

    def _age(self, m: Module, waits: Value) -> Signal:
        """Cycles for which something has waited."""
        age = Signal(4)
        m.d.sync += age.eq(Mux(waits, age + (age != 15), 0))
        return age


class TestRegisterAccess(ProofTest):
    sizes = ("any order",)
    bugs: ClassVar = {
        "offers stand": Bug(
            register_access,
            "self.axi_arvalid.eq(self.start & ~self.write)",
            "self.axi_arvalid.eq(self.start & ~self.write & ~self.axi_bvalid & ~self.axi_awready)",
        ),
        "one request for each access": Bug(
            register_access,
            "with m.If(self.start & (taken & self.write | self.axi_arready & ~self.write)):",
            "with m.If(self.start & taken & self.write):",
        ),
        "nothing without being told": Bug(
            register_access, "self.axi_awvalid.eq(self.start &", "self.axi_awvalid.eq("
        ),
        "what it was told": Bug(register_access, "self.axi_wstrb.eq(-1)", "self.axi_wstrb.eq(7)"),
        "done with the answer": Bug(
            register_access, "self.axi_bvalid | self.axi_rvalid", "self.axi_bvalid"
        ),
        "the value is the answer's": Bug(
            register_access, "self.value.eq(self.axi_rdata)", "self.value.eq(self.data)"
        ),
        "done soon": Bug(register_access, "with m.If(self.done):", "with m.If(self.axi_bvalid):"),
    }

    def harness(self, size: str) -> RegisterAccessHarness:
        return RegisterAccessHarness()
