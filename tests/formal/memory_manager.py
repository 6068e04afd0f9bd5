"""What the proofs of both halves of the AXI4 manager share."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from qcnpe.rtl.memory import burst_splitter
from tests.formal.axi_rules import Channel
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, implies

PATIENCE = 2
"""Cycles for which the other side lets the manager wait."""

_LENGTH = "length.eq(Mux(last < to_boundary, last, to_boundary))"
SPLITTER_BUGS = {
    "bursts lie within 4 kB": Bug(burst_splitter, _LENGTH, "length.eq(last)"),
    "bursts lie within the transfer": Bug(burst_splitter, _LENGTH, "length.eq(to_boundary)"),
}
"""A bug for each claim about bursts: both halves have the same splitter."""


def request_channel(dut: Any, letter: str) -> Channel:
    """An address channel of a manager."""
    prefix = f"axi_a{letter}"
    names = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot")
    return Channel(
        getattr(dut, f"{prefix}valid"),
        getattr(dut, f"{prefix}ready"),
        Cat(*(getattr(dut, prefix + name) for name in names)),
    )


def count_up(m: Module, waits: Any) -> Signal:
    """Cycles for which something has been true without a break, up to now."""
    age = Signal(5)
    m.d.sync += age.eq(Mux(waits, age + (age != 31), 0))
    return age


class ManagerHarness(Harness):
    """Base of the harnesses of both halves.

    Parameters
    ----------
    bus : arguments of the manager
    """

    def __init__(self, bus: dict[str, int]) -> None:
        super().__init__()
        self.bus = bus


class Transfer:
    """The transfer that a manager works on, and claims about its bursts.

    Parameters
    ----------
    harness, m, dut : the proof, its module and the manager
    letter : of the address channel
    longest : bus words of the longest transfer
    end : cycles within which a transfer ends

    Attributes
    ----------
    starts : a transfer is taken in this cycle
    count : words of the transfer
    """

    def __init__(
        self, harness: Harness, m: Module, dut: Any, letter: str, *, longest: int, end: int
    ) -> None:
        self.harness, self.m, self.dut, self.letter = harness, m, dut, letter
        self.end = end
        request = dut.transfer.payload
        self.starts: Value = dut.transfer.valid & dut.transfer.ready
        self.first = Signal.like(request.first, name="transfer_first")
        self.count = Signal.like(request.count, name="transfer_count")
        self.works = Signal()
        with m.If(self.starts):
            m.d.sync += [self.first.eq(request.first), self.count.eq(request.count)]
            m.d.sync += self.works.eq(1)
        with m.Elif(dut.done):
            m.d.sync += self.works.eq(0)
        harness.assume(request.count <= longest)
        inside = (request.first + request.count) <= (1 << len(request.first))
        harness.assume(inside, implies(self.works, ~dut.transfer.valid))

    def claim_bursts(self) -> None:
        """Every burst lies within 4 kB and within the transfer, which ends."""
        dut, prefix = self.dut, f"axi_a{self.letter}"
        valid, address = getattr(dut, f"{prefix}valid"), getattr(dut, f"{prefix}addr")
        size = len(dut.axi_rdata if self.letter == "r" else dut.axi_wdata) // 8
        end = address + (getattr(dut, f"{prefix}len") + 1) * size
        self.harness.claim(
            "bursts lie within 4 kB", implies(valid, address >> 12 == (end - 1) >> 12)
        )
        first = self.first * size
        inside = (address >= first) & (end <= first + self.count * size) & self.works
        self.harness.claim("bursts lie within the transfer", implies(valid, inside))
        age = count_up(self.m, self.works & ~dut.done)
        self.harness.claim("every transfer ends", age < self.end)

    def claim_errors(self, answer: Channel) -> Value:
        """The first error response is reported; returns whether none came, and no abort."""
        m, dut = self.m, self.dut
        failed, aborted = Signal(2), Signal()
        with m.If(self.starts):
            m.d.sync += [failed.eq(0), aborted.eq(0)]
        with m.Else():
            m.d.sync += aborted.eq(aborted | dut.abort)
            with m.If(answer.moves & answer.payload[1] & (failed == 0) & ~aborted):
                m.d.sync += failed.eq(answer.payload)
        self.harness.claim("errors are told", implies(dut.done, dut.response == failed))
        return (failed == 0) & ~aborted
