"""The reading half of the AXI4 manager: its rules, its bursts, and that every transfer ends."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Mux, Signal

from qcnpe.rtl.memory import axi_reader
from tests.formal.axi_rules import Channel, keeps_offer
from tests.formal.bugs import Bug
from tests.formal.harness import free_inputs, implies, past
from tests.formal.memory_manager import (
    PATIENCE,
    SPLITTER_BUGS,
    ManagerHarness,
    Transfer,
    count_up,
    request_channel,
)
from tests.formal.proof import BOUNDED, ProofTest


class ReadsHarness(ManagerHarness):
    """A reader whose memory answers in order and soon, with anything."""

    def build(self, m: Module) -> None:
        """Beats that were requested and have not come, and a limit to each wait."""
        m.submodules.dut = dut = axi_reader.AxiReader(**self.bus)
        free_inputs(m, dut)
        request = request_channel(dut, "r")
        answer = Channel(dut.axi_rvalid, dut.axi_rready, dut.axi_rresp)
        transfer = Transfer(self, m, dut, "r", longest=3, end=16)
        open_ = Signal(8)
        came = Mux(answer.moves, 1, 0)
        m.d.sync += open_.eq(open_ + Mux(request.moves, dut.axi_arlen + 1, 0) - came)
        self.assume(
            keeps_offer(m, answer),
            implies(answer.valid, open_ != 0),
            count_up(m, request.valid & ~request.ready) < PATIENCE,
            count_up(m, (open_ != 0) & ~answer.valid) < PATIENCE,
            count_up(m, dut.words.valid & ~dut.words.ready) < PATIENCE,
        )
        self.claim("requests stay", keeps_offer(m, request))
        transfer.claim_bursts()
        self.claim("nothing is open at the end", implies(dut.done, (open_ == 0) & ~request.valid))
        self._claim_words(m, dut, transfer, answer)
        self.witness("a second burst", past(m, request.moves & (dut.axi_arlen != 0)), request.valid)
        self.witness("an error", dut.done, dut.response == 3)

    def _claim_words(self, m: Module, dut: Any, transfer: Transfer, answer: Channel) -> None:
        """Without an error every word leaves; with one, the first is reported."""
        good = transfer.claim_errors(answer)
        left, odd = Signal(8), Signal()
        takes = dut.words.valid & dut.words.ready
        m.d.sync += left.eq(Mux(transfer.starts, 0, left + takes))
        m.d.sync += odd.eq(odd | (answer.valid & (answer.payload == 1)))
        self.claim("all words leave", implies(dut.done & good & ~odd, left == transfer.count))


class TestReads(ProofTest):
    sizes = ({"data_bits": 64, "address_bits": 13},)
    engine, depth = BOUNDED, 20
    bugs: ClassVar = {
        "requests stay": Bug(
            axi_reader,
            "arvalid.eq(splitter.bursts.valid)",
            "arvalid.eq(splitter.bursts.valid & ~gives_up)",
        ),
        **SPLITTER_BUGS,
        "every transfer ends": Bug(
            axi_reader,
            "axi_rready.eq(queue.i.ready | gives_up)",
            "axi_rready.eq(queue.i.ready & ~gives_up)",
        ),
        "nothing is open at the end": Bug(axi_reader, "(requested != 0) | ", ""),
        "all words leave": Bug(axi_reader, " | (queue.level != 0)", ""),
        "errors are told": Bug(
            axi_reader, "received & self.axi_rresp[1] & ~gives_up", "received & self.axi_rresp[1]"
        ),
    }

    def harness(self, size: dict[str, int]) -> ReadsHarness:
        return ReadsHarness(size)
