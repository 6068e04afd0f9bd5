"""The gate: which frames it accepts, and how it refuses the others."""

import pytest
from amaranth.sim import Simulator

from qcnpe.rtl.link.gate import Gate
from qcnpe.spec.frames import Frame, Kind, Refusal


class Events:
    """Outputs of a gate for frames, one after another."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.refused: list[tuple[Refusal, int]] = []
        self.restarts = self.polls = 0


def play(frames: list[tuple[Frame, bool]], *, overflow: bool = False) -> Events:
    """Frames and whether their CRC was right."""
    gate, events = Gate(), Events()
    watched = (
        gate.write, gate.octet, gate.commit, gate.rewind, gate.restart, gate.poll,
        gate.refused, gate.reason, gate.expected,
    )  # fmt: skip

    async def drive(ctx):
        body = bytearray()
        ctx.set(gate.overflow, overflow)
        for frame, good in frames:
            head = bytes([frame.kind, frame.session & 255, frame.session >> 8, frame.sequence])
            octets = head + frame.body
            for place, octet in enumerate(octets):
                last = place == len(octets) - 1
                ctx.set(gate.payload, octet)
                ctx.set(gate.last, last)
                ctx.set(gate.good, good and last)
                ctx.set(gate.valid, 1)
                (
                    _,
                    _,
                    write,
                    value,
                    commit,
                    rewind,
                    restart,
                    poll,
                    refused,
                    reason,
                    expected,
                ) = await ctx.tick().sample(*watched)
                if write:
                    body.append(value)
                if commit:
                    events.bodies.append(bytes(body))
                if commit or rewind:
                    body.clear()
                if refused:
                    events.refused.append((Refusal(reason), expected))
                events.restarts += restart
                events.polls += poll
        ctx.set(gate.valid, 0)
        _, _, restart = await ctx.tick().sample(gate.restart)
        events.restarts += restart

    simulator = Simulator(gate)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return events


HELLO = (Frame(Kind.HELLO, 77, 0, b"\0"), True)


def work(sequence: int, *, session: int = 77, good: bool = True) -> tuple[Frame, bool]:
    return Frame(Kind.WORK, session, sequence, b"body%d" % sequence), good


def test_frames_in_turn_come_in():
    events = play([HELLO, work(0), work(1), (Frame(Kind.POLL, 77, 9, b"\0"), True), work(2)])
    assert events.bodies == [b"body0", b"body1", b"body2"]
    assert (events.restarts, events.polls, events.refused) == (1, 1, [])


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (work(1, good=False), Refusal.DAMAGED),
        (work(1, session=78), Refusal.SESSION),
        (work(0), Refusal.SEQUENCE),
        (work(2), Refusal.SEQUENCE),
        ((Frame(0x55, 77, 1, b"\0"), True), Refusal.KIND),
        ((Frame(Kind.WORK, 77, 1, b""), True), Refusal.KIND),
        ((Frame(Kind.POLL, 5, 1, b"\0"), True), Refusal.SESSION),
    ],
)
def test_other_frames_are_refused_and_the_next_one_comes_in(frame, reason):
    events = play([HELLO, work(0), frame, work(1)])
    assert events.refused == [(reason, 1)]
    assert events.bodies == [b"body0", b"body1"]


def test_body_without_room_is_refused():
    events = play([HELLO, work(0)], overflow=True)
    assert events.refused == [(Refusal.OVERFLOW, 0)]
    assert events.bodies == []


def test_damaged_greeting_changes_nothing():
    events = play([HELLO, work(0), (Frame(Kind.HELLO, 99, 0, b"\0"), False), work(1)])
    assert events.restarts == 1
    assert events.bodies == [b"body0", b"body1"]


def test_greeting_begins_the_numbers_anew():
    events = play([HELLO, work(0), (Frame(Kind.HELLO, 5, 0, b"\0"), True), work(0, session=5)])
    assert events.restarts == 2
    assert events.bodies == [b"body0", b"body0"]
