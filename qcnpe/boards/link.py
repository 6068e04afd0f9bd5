"""The host's end of the link: frames, sessions, flow control."""

import secrets
from collections import deque
from collections.abc import Callable
from time import monotonic

from qcnpe.boards.port import Port
from qcnpe.spec.errors import TransportError
from qcnpe.spec.frames import (
    SEQUENCES,
    Frame,
    FrameParser,
    Kind,
    Operation,
    Refusal,
    Welcome,
)

_SESSIONS = (1 << 16) - 1
"""Sessions are numbered from 1; a board without one says 0."""

_WINDOW = SEQUENCES // 2
"""Frames that may wait for their acknowledgement: with more, an acknowledgement that arrives late
could be taken for one of a later frame."""


class LinkLostError(TransportError):
    """Something was lost on the way: the session is over, a new one may succeed."""


class Link:
    """A session with a board.

    Nothing is sent again within a session: any loss ends it with `LinkLostError`, and the caller
    begins a new one, which resets the board. So there is only one way in which errors are handled,
    and no operation is ever executed twice.

    A wait ends when there is progress: the board has acknowledged a frame, or sent results or a
    value. After `timeout` seconds without progress the board is polled, after as many again the
    session is lost. Other frames, whatever they are, extend neither wait.

    Parameters
    ----------
    port : the way to the board
    timeout : seconds; longer than the board's longest frame takes on the line
    clock : gives the time in seconds

    Attributes
    ----------
    welcome : the link's parameters as the board sent them
    received, sent : octets over the port
    """

    welcome: Welcome

    def __init__(
        self, port: Port, *, timeout: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._port, self._timeout, self._clock = port, timeout, clock
        self.received = self.sent = 0
        self._session = secrets.randbelow(_SESSIONS)
        self._sessions: set[int] = set()
        self._begin()

    def _begin(self) -> None:
        """Reset the state of the session."""
        self._parser = FrameParser()
        self._waiting: deque[tuple[int, int]] = deque()
        self._reads: deque[int] = deque()
        self._sequence = self._results_frames = 0
        self._restart_timeout()

    def _restart_timeout(self) -> None:
        self._end, self._polled, self._progress = self._clock() + self._timeout, False, True

    def greet(self) -> None:
        """Begin a new session: the board is reset, whatever it was doing.

        Raises
        ------
        LinkLostError
            If there is no answer within `timeout`.
        TransportError
            If the board's parameters are not those of this version's link.
        """
        self._begin()
        self._session = self._session % _SESSIONS + 1
        self._sessions.add(self._session)
        self._write(Frame(Kind.HELLO, self._session, 0, b"\0"))
        while self._clock() < self._end:
            for frame in self._read():
                if frame.kind == Kind.WELCOME and frame.session == self._session:
                    self.welcome = Welcome.decode(frame.body)
                    # What came before belongs to another session, or was cut off by the reset.
                    self._parser.damaged = 0
                    return
        raise LinkLostError(
            "the board does not answer; is its bitstream loaded, and the rate the same?"
        )

    @property
    def idle(self) -> bool:
        """Whether all frames are acknowledged."""
        return not self._waiting

    def has_room(self, body: bytes) -> bool:
        """Whether the board can buffer another body."""
        used = sum(size for _, size in self._waiting)
        return len(self._waiting) < _WINDOW and used + len(body) <= self.welcome.buffer

    def send(self, body: bytes) -> None:
        """Send operations; only if there is room."""
        if body[0] == Operation.READ:
            self._reads.append(self._sequence)
        self._write(Frame(Kind.WORK, self._session, self._sequence, body))
        self._sequence = (self._sequence + 1) % SEQUENCES
        self._waiting.append((self._sequence, len(body)))
        self._restart_timeout()

    def receive(self) -> list[Frame]:
        """Wait for progress; returns the frames with results or values, in order and complete.

        Raises
        ------
        LinkLostError
            If something was lost on the way, or there was no progress in time.
        TransportError
            If another host took the board, or the engine halted at a bad command.
        """
        self._progress = False
        while True:
            found = [frame for frame in self._read() if self._accept(frame)]
            if self._parser.damaged:
                raise LinkLostError("a frame from the board was damaged")
            if self._progress:
                return found
            if self._clock() >= self._end:
                self._poll()

    def _poll(self) -> None:
        """Poll the board once; the answer counts as progress only if it acknowledges a frame."""
        if self._polled:
            raise LinkLostError("the board makes no progress")
        self._write(Frame(Kind.POLL, self._session, 0, b"\0"))
        self._end, self._polled = self._clock() + self._timeout, True

    def _accept(self, frame: Frame) -> bool:
        """Process a frame; returns whether it carries results or a value."""
        if frame.session != self._session:
            self._check_session(frame.session)
            return False
        match frame.kind:
            case Kind.DONE:
                self._acknowledge(frame)
            case Kind.RESULTS:
                self._check_number(frame, self._results_frames)
                self._results_frames = (self._results_frames + 1) % SEQUENCES
            case Kind.VALUE:
                self._check_number(frame, self._reads.popleft() if self._reads else None)
            case Kind.REFUSED:
                raise LinkLostError(f"the board refused a frame: {_reason(frame.body)}")
            case Kind.WELCOME:
                raise LinkLostError("the board was reset")
            case _:
                raise LinkLostError(f"the board sent a frame of the unknown kind {frame.kind}")
        return frame.kind in (Kind.RESULTS, Kind.VALUE)

    def _check_session(self, session: int) -> None:
        """Ignore late frames of earlier sessions; any other number ends this session."""
        if session == 0:
            raise LinkLostError("the board was reset")
        if session not in self._sessions:
            raise TransportError("another host has taken the board; close it there and begin again")

    def _check_number(self, frame: Frame, expected: int | None) -> None:
        if frame.sequence != expected:
            raise LinkLostError(f"{Kind(frame.kind).name} frames were lost, repeated or reordered")
        self._restart_timeout()

    def _acknowledge(self, frame: Frame) -> None:
        """Cumulative acknowledgement; unknown sequence numbers are ignored."""
        if frame.body == b"\1":
            raise TransportError("the engine halted at a bad command")
        if frame.body != b"\0":
            raise LinkLostError("the board sent a malformed acknowledgement")
        numbers = [number for number, _ in self._waiting]
        if frame.sequence in numbers:
            for _ in range(numbers.index(frame.sequence) + 1):
                self._waiting.popleft()
            self._restart_timeout()

    def _write(self, frame: Frame) -> None:
        octets = frame.encode()
        self._port.write(octets)
        self.sent += len(octets)

    def _read(self) -> list[Frame]:
        octets = self._port.read()
        self.received += len(octets)
        return list(self._parser.feed(octets))


def _reason(body: bytes) -> str:
    known = {bytes([reason]): reason.name.lower() for reason in Refusal}
    return known.get(body, f"reason {body.hex()}")
