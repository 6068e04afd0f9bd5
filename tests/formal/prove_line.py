"""A receiver reads what a transmitter sends, each octet once, for all time.

At a whole number of clocks a bit; other rates are tested in `tests/qcnpe/rtl/link/test_line.py`.
"""

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal

from qcnpe.rtl.link import receiver, transmitter
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, free_inputs, implies
from tests.formal.proof import ProofTest

_BITS = 10
"""Bits of an octet on the line."""

_LATENCY = 4
"""Clocks from the pin to the octet, besides the bits: synchroniser and registers."""


class LineHarness(Harness):
    """Two halves of a UART on one line.

    Parameters
    ----------
    clocks : of a bit
    """

    def __init__(self, clocks: int) -> None:
        super().__init__()
        self.clocks = clocks

    def build(self, m: Module) -> None:
        """The octets in flight, at most two, and the age of the first one."""
        clock_hz, baud = 1e6 * self.clocks, 1_000_000
        m.submodules.sender = sender = transmitter.Transmitter(clock_hz=clock_hz, baud=baud)
        m.submodules.reader = reader = receiver.Receiver(clock_hz=clock_hz, baud=baud)
        free_inputs(m, sender)
        m.d.comb += reader.line.eq(sender.line)
        first, second, count = Signal(8), Signal(8), Signal(2)
        taken, sent = sender.octets.valid & sender.octets.ready, sender.octets.payload
        place = count - reader.valid
        with m.If(reader.valid):
            m.d.sync += first.eq(second)
        with m.If(taken):
            m.d.sync += second.eq(sent)
            with m.If(place == 0):
                m.d.sync += first.eq(sent)
        longest = _BITS * self.clocks + _LATENCY
        age, since = (Signal(range(longest + 2), name=name) for name in ("age", "since"))
        later = Mux(taken, 0, since + (since <= longest))
        m.d.sync += [
            count.eq(place + taken),
            since.eq(later),
            age.eq(Mux(reader.valid | (count == 0), later, age + (age <= longest))),
        ]
        self.claim("what was sent", implies(reader.valid, reader.octet == first))
        self.claim("nothing that was not sent", implies(reader.valid, count != 0))
        self.claim("nothing is lost", count <= 2)
        self.claim("in time", implies(count != 0, age <= longest))
        self.claim("ready for the next", implies(since >= _BITS * self.clocks, sender.octets.ready))
        self.witness("back to back", reader.valid, count == 2)


class TestLine(ProofTest):
    sizes = (4,)
    bug_depth = witness_depth = 100
    bugs: ClassVar = {
        "what was sent": Bug(receiver, "phase.eq(1 << (PHASE_BITS - 1))", "phase.eq(0)"),
        "nothing that was not sent": Bug(receiver, "bit.eq(bit + 1)", "bit.eq(bit + 2)"),
        "nothing is lost": Bug(receiver, "self.valid.eq(line)", "self.valid.eq(~line)"),
        "in time": Bug(receiver, "bit <= _DATA_BITS", "bit <= _DATA_BITS + 1"),
        "ready for the next": Bug(transmitter, "left.eq(left - 1)", "left.eq(left - ~left[0])"),
    }

    def harness(self, size: int) -> LineHarness:
        return LineHarness(size)
