"""The host's end of the wire on a port that says what it is told to."""

import pytest

from qcnpe.boards.link import Link, LinkLostError
from qcnpe.spec.frames import LINK_VERSION, Frame, FrameParser, Kind, Welcome

WELCOME = Welcome(version=LINK_VERSION, fifo_depth=4, buffer=512, store=64)
RUBBISH = b"\x7e\x01rest of a frame\x7e"


class Told:
    """A port whose far end greets, after `before`, and answers to work with `after`."""

    timeout: float | None = 0.01

    def __init__(self, *, before: bytes = b"", after: bytes = b"") -> None:
        self._before, self._after = before, after
        self._parser, self._said = FrameParser(), b""

    def write(self, octets: bytes, /) -> int:
        for frame in self._parser.feed(octets):
            if frame.kind == Kind.HELLO:
                self._said += self._before
                self._said += Frame(Kind.WELCOME, frame.session, 0, WELCOME.encode()).encode()
            else:
                done = Frame(Kind.DONE, frame.session, frame.sequence + 1, b"\0")
                self._said += self._after or done.encode()
        return len(octets)

    def read(self, size: int = 1, /) -> bytes:
        octets, self._said = self._said[:size], self._said[size:]
        return octets

    @property
    def in_waiting(self) -> int:
        return len(self._said)


def work_off(link: Link) -> None:
    while not link.idle:
        list(link.answers())


def test_what_came_before_the_welcome_does_not_end_the_session():
    link = Link(Told(before=RUBBISH), timeout=5)
    link.greet()
    assert link.welcome == WELCOME
    link.send(b"\x01")
    work_off(link)


def test_a_damaged_frame_within_the_session_does():
    link = Link(Told(after=RUBBISH), timeout=5)
    link.greet()
    link.send(b"\x01")
    with pytest.raises(LinkLostError, match="a frame from the board was damaged"):
        work_off(link)
