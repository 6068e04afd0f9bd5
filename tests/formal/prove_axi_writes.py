"""The writing half of the AXI4 manager: its rules, its bursts, and that every transfer ends."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.memory import axi_writer
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


class WritesHarness(ManagerHarness):
    """A writer whose memory takes and answers soon, and may wait for a burst's first data."""

    def build(self, m: Module) -> None:
        """Accounts of bursts and beats, and a limit to each wait."""
        m.submodules.dut = dut = axi_writer.AxiWriter(**self.bus)
        free_inputs(m, dut)
        request = request_channel(dut, "w")
        beats = Channel(
            dut.axi_wvalid, dut.axi_wready, Cat(dut.axi_wdata, dut.axi_wstrb, dut.axi_wlast)
        )
        answer = Channel(dut.axi_bvalid, dut.axi_bready, dut.axi_bresp)
        words = Channel(dut.words.valid, dut.words.ready, dut.words.payload)
        transfer = Transfer(self, m, dut, "w", longest=2, end=19)
        unsent, unanswered = self._build_accounts(m, dut, request, beats, answer)
        early = unsent[-1]  # negative: a burst's data came before its request
        self.assume(
            keeps_offer(m, answer),
            # A memory may wait with a request until it has the first of its data.
            count_up(m, request.valid & (beats.valid | early) & ~request.ready) < PATIENCE,
            count_up(m, beats.valid & ~beats.ready) < PATIENCE,
            implies(answer.valid, unanswered),
            count_up(m, unanswered & ~answer.valid) < PATIENCE,
            count_up(m, transfer.works & ~dut.done & ~words.valid) < PATIENCE,
        )
        self.claim("requests stay", keeps_offer(m, request))
        self.claim("data stay", keeps_offer(m, beats))
        transfer.claim_bursts()
        self.claim(
            "nothing is open at the end",
            implies(dut.done, (unsent == 0) & ~unanswered & ~request.valid & ~beats.valid),
        )
        self._claim_lasts(m, dut, transfer, beats)
        self._claim_words(m, dut, transfer, beats, answer)
        self.witness("an aborted burst", beats.moves, dut.axi_wstrb == 0, dut.axi_wlast)
        self.witness("a second burst", past(m, request.moves & (dut.axi_awlen != 0)), beats.valid)

    def _build_accounts(
        self, m: Module, dut: Any, request: Channel, beats: Channel, answer: Channel
    ) -> tuple[Signal, Value]:
        """Beats that were announced and not sent, and whether a burst is to be answered."""
        unsent, requests, ends = Signal(8), Signal(3), Signal(3)
        announced = Mux(request.moves, dut.axi_awlen + 1, 0)
        m.d.sync += [
            unsent.eq(unsent + announced - beats.moves),
            requests.eq(requests + request.moves - answer.moves),
            ends.eq(ends + (beats.moves & dut.axi_wlast) - answer.moves),
        ]
        return unsent, (requests != 0) & (ends != 0)

    def _claim_lasts(self, m: Module, dut: Any, transfer: Transfer, beats: Channel) -> None:
        """The last beats of the first burst and of the transfer are marked, and no others."""
        seen, length, sent = Signal(), Signal(8), Signal(8)
        with m.If(dut.axi_awvalid & ~seen):
            m.d.sync += [seen.eq(1), length.eq(dut.axi_awlen)]
        m.d.sync += sent.eq(sent + beats.moves)
        with m.If(transfer.starts):
            m.d.sync += [seen.eq(0), sent.eq(0)]
        ends = (sent == length) | (sent == transfer.count - 1)
        self.claim("last beats are marked", implies(beats.valid & seen, ends == dut.axi_wlast))

    def _claim_words(
        self, m: Module, dut: Any, transfer: Transfer, beats: Channel, answer: Channel
    ) -> None:
        """Without an error every word is written; with one, the first is reported."""
        good = transfer.claim_errors(answer)
        written, taken, word = Signal(8), Signal(8), Signal.like(dut.words.payload)
        with m.If(transfer.starts):
            m.d.sync += [written.eq(0), taken.eq(0)]
        with m.Else():
            stored = beats.moves & (dut.axi_wstrb == (1 << len(dut.axi_wstrb)) - 1)
            m.d.sync += written.eq(written + stored)
            with m.If(dut.words.valid & dut.words.ready):
                m.d.sync += [word.eq(dut.words.payload), taken.eq(taken + 1)]
        self.claim(
            "all words are written",
            implies(dut.done & good, (written == transfer.count) & (taken == transfer.count)),
            implies(beats.valid & (dut.axi_wstrb != 0), dut.axi_wdata == word),
        )


class TestWrites(ProofTest):
    sizes = ({"data_bits": 64, "address_bits": 13},)
    engine, depth = BOUNDED, 22
    bug_depth = witness_depth = 22
    bugs: ClassVar = {
        "requests stay": Bug(
            axi_writer,
            "with m.Elif(self.axi_awready):",
            "with m.Elif(self.axi_awready | gives_up):",
        ),
        "data stay": Bug(axi_writer, "room.eq(~self.axi_wvalid | self.axi_wready)", "room.eq(1)"),
        **SPLITTER_BUGS,
        "every transfer ends": Bug(
            axi_writer,
            "loads.eq(lengths.o.valid & room & (self.words.valid | gives_up))",
            "loads.eq(lengths.o.valid & room & self.words.valid & ~gives_up)",
        ),
        "nothing is open at the end": Bug(
            axi_writer, "splitter.idle & (unanswered == 0)", "splitter.idle"
        ),
        "last beats are marked": Bug(
            axi_writer,
            "last.eq(sent == lengths.o.payload)",
            "last.eq(sent >= lengths.o.payload[1:])",
        ),
        "all words are written": Bug(axi_writer, "(self.words.valid | gives_up)),", "1),"),
        "errors are told": Bug(
            axi_writer,
            "self.axi_bvalid & self.axi_bresp[1] & ~gives_up",
            "self.axi_bvalid & self.axi_bresp[1]",
        ),
    }

    def harness(self, size: dict[str, int]) -> WritesHarness:
        return WritesHarness(size)
