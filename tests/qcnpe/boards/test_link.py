"""The host's end of the link, on a port with scripted answers."""

from collections.abc import Callable

import pytest

from qcnpe.boards.link import Link, LinkLostError
from qcnpe.spec.errors import TransportError
from qcnpe.spec.frames import LINK_VERSION, Frame, FrameParser, Kind, Operation, Request, Welcome

WELCOME = Welcome(version=LINK_VERSION, fifo_depth=4, buffer=512, store=64)
RUBBISH = b"\x7e\x01rest of a frame\x7e"
WORK = Request(Operation.PLAY_WEIGHTS, 1).encode()
READ = Request(Operation.READ, 1, 0x14).encode()
TIMEOUT = 2.0

Answer = Callable[[Frame], list[Frame]]


def done(frame: Frame, *, sequence: int | None = None, body: bytes = b"\0") -> Frame:
    number = frame.sequence + 1 if sequence is None else sequence
    return Frame(Kind.DONE, frame.session, number % 256, body)


class Told:
    """A port whose far end greets, and answers to other frames as it is told.

    Time passes only while there is nothing to read, or with `chatter`, which is read for ever.
    """

    name = "told"

    def __init__(
        self,
        answer: Answer = lambda frame: [done(frame)],
        *,
        before: bytes = b"",
        welcome: bytes = WELCOME.encode(),
        chatter: Callable[[int], bytes] = lambda session: b"",
    ) -> None:
        self.answer, self.before, self.welcome, self.chatter = answer, before, welcome, chatter
        self.parser, self.said, self.session, self.now = FrameParser(), b"", 0, 0.0
        self.heard: list[Frame] = []

    def clock(self) -> float:
        return self.now

    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, octets: bytes, /) -> None:
        for frame in self.parser.feed(octets):
            self.heard.append(frame)
            if frame.kind == Kind.HELLO:
                self.session = frame.session
                self.said += self.before
                self.said += Frame(Kind.WELCOME, frame.session, 0, self.welcome).encode()
            else:
                self.said += b"".join(answer.encode() for answer in self.answer(frame))

    def read(self) -> bytes:
        octets, self.said = self.said, b""
        if not octets:
            self.now += 0.05
            octets = self.chatter(self.session)
        return octets


def begin(port: Told) -> Link:
    link = Link(port, timeout=TIMEOUT, clock=port.clock)
    link.greet()
    return link


def execute(link: Link, *bodies: bytes) -> list[Frame]:
    """Send bodies and wait for their acknowledgements."""
    found = []
    for body in bodies:
        assert link.has_room(body)
        link.send(body)
    while not link.idle:
        found += link.receive()
    return found


def test_what_came_before_the_welcome_does_not_end_the_session():
    link = begin(Told(before=RUBBISH))
    assert link.welcome == WELCOME
    execute(link, b"\x01")


def test_a_damaged_frame_within_the_session_does():
    port = Told()
    link = begin(port)
    link.send(b"\x01")
    port.said += RUBBISH
    with pytest.raises(LinkLostError, match="a frame from the board was damaged"):
        link.receive()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "speaks version unknown of the link, this host 1; build its bitstream again"),
        (b"\x09", "speaks version 9 of the link, this host 1; build its bitstream again"),
        (bytes([LINK_VERSION]), "welcome has 1 octets, not 7; build its bitstream again"),
        (WELCOME.encode()[:6], "welcome has 6 octets, not 7"),
        (WELCOME.encode() + b"\0", "welcome has 8 octets, not 7"),
        (
            Welcome(version=1, fifo_depth=4, buffer=0, store=64).encode(),
            r"buffer must be a power of two, 512\.\.32768, not 0; build its bitstream again",
        ),
        (Welcome(version=1, fifo_depth=4, buffer=256, store=64).encode(), "buffer .* not 256"),
        (Welcome(version=1, fifo_depth=4, buffer=768, store=64).encode(), "buffer .* not 768"),
        (Welcome(version=1, fifo_depth=4, buffer=512, store=8).encode(), "store .* not 8"),
    ],
)
def test_welcome_that_no_board_of_this_version_sends_is_refused(body, message):
    with pytest.raises(TransportError, match=message) as raised:
        begin(Told(welcome=body))
    assert not isinstance(raised.value, LinkLostError)  # once more would not help


def test_silent_board_is_lost_after_the_timeout():
    port = Told()
    port.write = lambda octets, /: None  # type: ignore[method-assign]
    with pytest.raises(LinkLostError, match="does not answer"):
        begin(port)
    assert port.now == pytest.approx(TIMEOUT, abs=0.1)


def receive_until(port: Told, link: Link, end: float) -> None:
    while port.now < end:
        link.receive()


def chattering(kind: int, sequence: int, body: bytes) -> Callable[[int], bytes]:
    return lambda session: Frame(kind, session, sequence, body).encode()


@pytest.mark.parametrize(
    "chatter",
    [
        lambda session: b"",
        lambda session: b"octets without a flag",
        lambda session: b"\x7e\x7e",
        chattering(Kind.DONE, 0, b"\0"),  # what every poll is answered with
        chattering(Kind.DONE, 77, b"\0"),
    ],
    ids=["silence", "garbage", "flags", "nothing new", "unknown number"],
)
def test_only_progress_extends_the_wait(chatter):
    """A lost frame, lost results and an engine that does not work look the same to the host."""
    port = Told(lambda frame: [done(frame, sequence=0)], chatter=chatter)
    link = begin(port)
    link.send(WORK)
    with pytest.raises(LinkLostError, match=r"the board makes no progress|a frame .* was damaged"):
        receive_until(port, link, 100)
    assert TIMEOUT <= port.now <= 2 * TIMEOUT + 0.2
    assert [frame.kind for frame in port.heard] == [Kind.HELLO, Kind.WORK, Kind.POLL]


def acknowledging(port: Told, time: float, number: int) -> Callable[[int], bytes]:
    """The acknowledgement of a frame at some time."""
    return lambda session: (
        Frame(Kind.DONE, session, number, b"\0").encode() if port.now > time else b""
    )


def test_slow_progress_is_progress():
    """One acknowledgement every 1.5 timeouts: polled every time, and never lost."""
    port = Told(lambda frame: [])
    link = begin(port)
    for number in range(3):
        link.send(WORK)
        assert port.now == pytest.approx(number * 1.5 * TIMEOUT, abs=0.2)
        port.chatter = acknowledging(port, port.now + 1.5 * TIMEOUT, number + 1)
        link.receive()
        assert link.idle


def test_lost_acknowledgement_is_asked_for():
    port = Told(lambda frame: [done(frame, sequence=1)] if frame.kind == Kind.POLL else [])
    link = begin(port)
    execute(link, WORK)
    assert port.now < 1.2 * TIMEOUT


@pytest.mark.parametrize("kind", [0x00, Kind.HELLO, Kind.WORK, 0x99])
def test_frame_of_an_unknown_kind_ends_the_session(kind):
    link = begin(Told(lambda frame: [Frame(kind, frame.session, 0, b"\0")]))
    with pytest.raises(LinkLostError, match=f"of the unknown kind {int(kind)}"):
        execute(link, WORK)


@pytest.mark.parametrize("body", [b"", b"\x02", b"\0\0"])
def test_malformed_acknowledgement_ends_the_session(body):
    link = begin(Told(lambda frame: [done(frame, body=body)]))
    with pytest.raises(LinkLostError, match="a malformed acknowledgement"):
        execute(link, WORK)


def value(frame: Frame, *, sequence: int) -> Frame:
    return Frame(Kind.VALUE, frame.session, sequence, b"\1\2\3\4")


def test_values_have_the_number_of_the_frame_that_asks():
    port = Told(lambda frame: [value(frame, sequence=frame.sequence), done(frame)])
    found = execute(begin(port), READ, READ)
    assert [frame.sequence for frame in found] == [0, 1]


@pytest.mark.parametrize(
    "answers",
    [[1, 0], [0, 0], [1], [0, 1, 1], [255, 0]],
    ids=["swapped", "doubled for a lost one", "lost", "doubled", "of before"],
)
def test_values_out_of_order_end_the_session(answers):
    def answer(frame: Frame) -> list[Frame]:
        if frame.sequence == 0:
            return []
        return [*(value(frame, sequence=number) for number in answers), done(frame)]

    link = begin(Told(answer))
    with pytest.raises(LinkLostError, match="VALUE frames were lost, repeated or reordered"):
        execute(link, READ, READ)


def test_value_that_nobody_asked_for_ends_the_session():
    link = begin(Told(lambda frame: [value(frame, sequence=frame.sequence)]))
    with pytest.raises(LinkLostError, match="VALUE frames"):
        execute(link, WORK)


@pytest.mark.parametrize("answers", [[1], [0, 0], [0, 2], [1, 0]])
def test_results_out_of_order_end_the_session(answers):
    link = begin(
        Told(lambda frame: [Frame(Kind.RESULTS, frame.session, n, b"\0") for n in answers])
    )
    link.send(WORK)
    with pytest.raises(LinkLostError, match="RESULTS frames were lost, repeated or reordered"):
        link.receive()


def test_second_welcome_means_that_the_board_was_reset():
    link = begin(
        Told(lambda frame: [Frame(Kind.WELCOME, frame.session, 0, WELCOME.encode()), done(frame)])
    )
    with pytest.raises(LinkLostError, match="the board was reset"):
        execute(link, WORK)


def test_late_frame_of_an_earlier_session_is_ignored():
    port = Told()
    link = begin(port)
    late = Frame(Kind.DONE, port.session, 1, b"\0")
    link.greet()
    assert late.session != port.session
    port.said = late.encode()
    execute(link, WORK)


def test_frame_of_another_hosts_session_is_told():
    port = Told(lambda frame: [Frame(Kind.DONE, frame.session ^ 0x155, 1, b"\0")])
    with pytest.raises(TransportError, match="another host has taken the board"):
        execute(begin(port), WORK)


def test_numbers_in_flight_are_never_ambiguous():
    """Small bodies fill the window of sequence numbers before they fill the buffer."""
    port = Told(lambda frame: [], welcome=Welcome(**{**vars(WELCOME), "buffer": 4096}).encode())
    link = begin(port)
    count = 0
    while link.has_room(WORK):
        link.send(WORK)
        count += 1
    assert count == 128


def test_body_that_the_buffer_has_no_room_for_waits():
    link = begin(Told(lambda frame: []))
    link.send(bytes([Operation.PARAMETERS]) * 256)
    assert link.has_room(bytes(256))
    link.send(bytes([Operation.PARAMETERS]) * 256)
    assert not link.has_room(b"\x01")
