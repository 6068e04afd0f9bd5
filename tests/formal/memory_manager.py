"""What the proofs of both halves of the AXI4 manager share."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from tests.formal.axi_rules import Channel
from tests.formal.harness import Harness, implies

PATIENCE = 2
"""Cycles for which the other side lets the manager wait."""


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
