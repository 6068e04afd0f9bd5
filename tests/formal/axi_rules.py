"""AXI's rules for both ends of a channel, from Arm's specifications, not from the RTL.

AXI and AXI4-Lite are IHI 0022 (section A3.2.1: a source keeps a beat valid until it is taken; A3.3:
a response comes only after its request; A3.1.2: nothing is valid after a reset; B1.1.1: no
exclusive responses), AXI4-Stream is IHI 0051 (section 2.2.1, the same handshake).
`tests/qcnpe/test_paths.py` shows on the emitted Verilog that no output depends on an input of the
same cycle (A3.1.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from tests.formal.harness import Harness, implies, past

EXOKAY = 1
"""The response code that AXI4-Lite does not allow."""

PATIENCE = 3
"""Cycles within which a subordinate answers: the protocol has no bound, an integrator needs one."""


@dataclass(frozen=True)
class Channel:
    """One channel of a bus: its handshake, and the signals that must be stable with it."""

    valid: Value
    ready: Value
    payload: Value

    @property
    def moves(self) -> Value:
        """A transfer happens in this cycle."""
        return self.valid & self.ready


def stream_channel(ports: Any, prefix: str, *, last: bool = False) -> Channel:
    """The channel of an AXI4-Stream."""
    names = ("tdata", "tlast") if last else ("tdata",)
    return _channel(ports, f"{prefix}_t", tuple(f"{prefix}_{name}" for name in names))


def lite_channels(ports: Any, prefix: str) -> dict[str, Channel]:
    """The five channels of an AXI4-Lite port, by their letters."""
    payloads: Mapping[str, tuple[str, ...]] = {
        "aw": ("addr", "prot"),
        "w": ("data", "strb"),
        "b": ("resp",),
        "ar": ("addr", "prot"),
        "r": ("data", "resp"),
    }
    return {
        letters: _channel(
            ports, f"{prefix}_{letters}", tuple(f"{prefix}_{letters}{name}" for name in names)
        )
        for letters, names in payloads.items()
    }


def _channel(ports: Any, prefix: str, payload: tuple[str, ...]) -> Channel:
    return Channel(
        getattr(ports, f"{prefix}valid"),
        getattr(ports, f"{prefix}ready"),
        Cat(*(getattr(ports, name) for name in payload)),
    )


def keeps_offer(m: Module, channel: Channel, resets: Any = 0) -> Value:
    """A valid beat that was not taken stays valid, with the same payload, except after a reset."""
    waited = past(m, channel.valid & ~channel.ready & ~Value.cast(resets))
    return implies(waited, channel.valid & (channel.payload == past(m, channel.payload)))


def silent_after_reset(m: Module, channel: Channel, resets: Any) -> Value:
    """A source is not valid in the cycle after a reset."""
    return implies(past(m, resets), ~channel.valid)


class LiteRules:
    """Claims about a subordinate of AXI4-Lite, and assumptions about its manager.

    A manager may send address and data in any order, make any number of requests, and take
    responses at any time.

    Parameters
    ----------
    harness, m : harness and module to which claims and accounts are added
    channels : of `lite_channels`
    resets : whether the port is in reset in this cycle
    """

    def __init__(
        self, harness: Harness, m: Module, channels: Mapping[str, Channel], resets: Any = 0
    ) -> None:
        self.harness, self.m, self.channels = harness, m, channels
        self.resets = Value.cast(resets)
        for name in ("aw", "w", "ar"):
            harness.assume(keeps_offer(m, channels[name], self.resets))
            harness.assume(silent_after_reset(m, channels[name], self.resets))

    def claim_offers(self) -> None:
        """Responses stay valid until they are taken; none is exclusive."""
        answers = [self.channels[name] for name in ("b", "r")]
        self.harness.claim(
            "responses stay", *(keeps_offer(self.m, answer, self.resets) for answer in answers)
        )
        codes = [answers[0].payload, answers[1].payload[-2:]]
        self.harness.claim(
            "no exclusive responses",
            *(
                implies(answer.valid, code != EXOKAY)
                for answer, code in zip(answers, codes, strict=True)
            ),
        )

    def claim_answers(self) -> None:
        """One response for each request, within a bound, and no other response."""
        open_ = {name: self._account(name, answer) for name, answer in _ANSWERS.items()}
        b, r = self.channels["b"], self.channels["r"]
        self.harness.claim(
            "responses only after requests",
            implies(b.valid, (open_["aw"] != 0) & (open_["w"] != 0)),
            implies(r.valid, open_["ar"] != 0),
        )
        asked = {name: (open_[name] != 0) | self.channels[name].valid for name in _ANSWERS}
        self.harness.claim(
            "answers soon",
            self._age(asked["aw"] & asked["w"] & ~b.valid) <= PATIENCE,
            self._age(asked["ar"] & ~r.valid) <= PATIENCE,
        )
        self.harness.invariant(open_["aw"] == open_["w"], open_["aw"] == b.valid)
        self.harness.invariant(open_["ar"] == r.valid)

    def _account(self, request: str, answer: str) -> Signal:
        """Number of requests that were taken and are not answered yet."""
        taken, answered = self.channels[request].moves, self.channels[answer].moves
        count = Signal(3, name=f"open_{request}")
        self.m.d.sync += count.eq(Mux(self.resets, 0, count + taken - answered))
        return count

    def _age(self, waits: Value) -> Signal:
        """Cycles for which the manager has waited for the subordinate."""
        age = Signal(3)
        waits = waits & ~self.resets
        self.m.d.sync += age.eq(Mux(waits, age + (age != Const(-1, 3).as_unsigned()), 0))
        return age


_ANSWERS = {"aw": "b", "w": "b", "ar": "r"}
