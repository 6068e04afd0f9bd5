"""A deframer restores the frames of a framer, whatever was on the line before.

The proof is for all frames and without a bound, but with a sum of 32 bits in place of the CRC-32:
its polynomial is too hard for solvers, and the framing does not depend on it.
`tests/qcnpe/rtl/link/test_framing.py` shows that the RTL's CRC is that of `zlib`.
"""

from typing import Any, ClassVar

import pytest
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.crc import Algorithm, catalog

from qcnpe.rtl.link import deframer, framer
from qcnpe.spec.frames import CRC_BYTES, FLAG
from tests.formal.bugs import Bug
from tests.formal.harness import Harness, add_open, free, free_inputs, implies, past
from tests.formal.proof import ProofTest

_SUM = Algorithm(
    crc_width=8 * CRC_BYTES,
    polynomial=1,
    initial_crc=-1 % (1 << 8 * CRC_BYTES),
    reflect_input=True,
    reflect_output=True,
    xor_output=-1 % (1 << 8 * CRC_BYTES),
)
"""The polynomial x^32 + 1: each octet is added at its place."""

_DELAY = CRC_BYTES + 1
"""Octets by which the deframer delays its output."""

_AFTER_LAST = 2 * CRC_BYTES + 1
"""Octets of the line behind a frame's last one: the CRC, if all of it is escaped, and the flag."""


class FramingHarness(Harness):
    """Framer, line, deframer; between them a queue of the octets in flight.

    The line takes an octet in every second cycle at most, as the deframer requires. Before the
    first frame there is any noise on it.
    """

    def build(self, m: Module) -> None:
        """Octets in flight, oldest first, and whether the frame's last one is among them."""
        sender, receiver = self._place(m)
        frames, octet = sender.frames, sender.frames.payload.octet
        moved, began = self._connect(m, sender.octets, receiver)
        enters, leaves = frames.valid & frames.ready, receiver.valid & began
        words = [Signal(8, name=f"word_{n}") for n in range(_DELAY)]
        count, complete, behind = Signal(range(_DELAY + 1)), Signal(), Signal(4)
        place = count - leaves
        for n, word in enumerate(words):
            above = words[n + 1] if n + 1 < _DELAY else word
            m.d.sync += word.eq(Mux(enters & (place == n), octet, Mux(leaves, above, word)))
        ends = leaves & receiver.last
        m.d.sync += [
            count.eq(place + enters),
            complete.eq(enters & frames.payload.last | complete & ~ends),
            behind.eq(Mux(complete, behind + moved, 0)),
        ]
        self.claim(
            "octets come back", implies(leaves, (count != 0) & (receiver.payload == words[0]))
        )
        self.claim("frames end where they did", implies(ends, complete & (count == 1)))
        self.claim("the CRC is right", implies(ends, receiver.good))
        self.claim("a frame ends soon", behind <= _AFTER_LAST)
        self.claim("the line is never held up", implies(complete, sender.octets.valid))
        within, flag = Signal(), moved & (sender.octets.payload == FLAG)
        m.d.sync += within.eq(within ^ flag)
        self.claim(
            "flags stand at the ends", implies(flag & within, complete), implies(enters, within)
        )
        self.witness("three octets", ends, past(m, count) == 1, behind > CRC_BYTES)
        self.witness("noise like a frame", receiver.valid & receiver.last & ~began)

    def _place(self, m: Module) -> tuple[framer.Framer, deframer.Deframer]:
        """Both ends, with the sum; an octet that waits stays, whether it is the last may change."""
        sender, receiver = framer.Framer(), deframer.Deframer()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalog, "CRC32_ISO_HDLC", _SUM)
            add_open(m, "sender", sender)
            add_open(m, "receiver", receiver)
        free_inputs(m, sender, but=("octets__ready",))
        frames, octet = sender.frames, sender.frames.payload.octet
        waits = past(m, frames.valid & ~frames.ready)
        self.assume(implies(waits, frames.valid & (octet == past(m, octet))))
        return sender, receiver

    def _connect(self, m: Module, line: Any, receiver: deframer.Deframer) -> tuple[Value, Signal]:
        """The line: whether an octet of the sender moves, and whether its first one has."""
        taken, noise, noisy, rests, began = (Signal(n) for n in (1, 8, 1, 1, 1))
        free(m, taken, noise, noisy)
        moved = line.valid & line.ready
        m.d.comb += [
            line.ready.eq(taken & ~rests),
            receiver.octet.eq(Mux(moved, line.payload, noise)),
            receiver.octet_valid.eq(moved | noisy & ~began & ~rests),
        ]
        m.d.sync += [rests.eq(receiver.octet_valid), began.eq(began | moved)]
        return moved, began


class TestFraming(ProofTest):
    sizes = ("any frames",)
    bug_depth = witness_depth = 32
    bugs: ClassVar = {
        "octets come back": Bug(deframer, "payload.eq(held[:8])", "payload.eq(held[8:16])"),
        "frames end where they did": Bug(
            framer, "with m.If(moved & self.frames.payload.last):", "with m.If(moved):"
        ),
        "the CRC is right": Bug(
            framer, "crc.crc.word_select(place, 8)", "crc.crc.word_select(place >> 1, 8)"
        ),
        "a frame ends soon": Bug(framer, "place == CRC_BYTES - 1", "place == CRC_BYTES"),
        "the line is never held up": Bug(framer, "moves.eq(1)", "moves.eq(self.frames.valid)"),
        "flags stand at the ends": Bug(
            framer, "(plain == FLAG) | (plain == ESCAPE)", "plain == ESCAPE"
        ),
    }

    def harness(self, size: str) -> FramingHarness:
        return FramingHarness()
