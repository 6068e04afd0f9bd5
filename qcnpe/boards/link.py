"""The host's end of the wire: frames, sessions, flow control."""

import secrets
import time
from collections.abc import Iterator
from typing import Protocol

from qcnpe.spec.errors import TransportError
from qcnpe.spec.frames import (
    SEQUENCES,
    Frame,
    FrameParser,
    Kind,
    Refusal,
    Welcome,
)


class Port(Protocol):
    """What is needed of `serial.Serial`."""

    timeout: float | None

    def read(self, size: int = 1, /) -> bytes:
        """Octets that came within the timeout."""

    def write(self, octets: bytes, /) -> int | None:
        """Send octets."""

    @property
    def in_waiting(self) -> int:
        """Octets that can be read at once."""


class LinkLostError(TransportError):
    """The line lost something: the session is over, a new one may do better."""


class Link:
    """A session with a board.

    Nothing is sent again within a session: whatever is lost ends it with `LinkLostError`, and the
    host begins a new one, which resets the board. So there is one way only in which errors are
    mended, and nothing is ever done twice.

    Parameters
    ----------
    port : the serial port
    timeout : seconds in which a board that has something to say must say it

    Attributes
    ----------
    welcome : what the board said of itself
    received, sent : octets over the wire
    """

    welcome: Welcome

    def __init__(self, port: Port, *, timeout: float) -> None:
        self._port = port
        self._timeout = timeout
        self.received = self.sent = 0
        self._session = 0
        self._begin()

    def _begin(self) -> None:
        self._parser = FrameParser()
        self._waiting: list[tuple[int, int]] = []
        self._sequence = 0
        self._results_frames = 0

    def greet(self) -> None:
        """Begin a new session: the board is reset, whatever it was doing."""
        self._begin()
        self._session = 1 + secrets.randbelow((1 << 16) - 1)
        self._write(Frame(Kind.HELLO, self._session, 0, b"\0"))
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            for frame in self._read():
                if frame.kind == Kind.WELCOME and frame.session == self._session:
                    self.welcome = Welcome.decode(frame.body)
                    # What came before the welcome was of another session, or cut off by the start.
                    self._parser.damaged = 0
                    return
        raise LinkLostError(
            "the board does not answer; is its bitstream loaded, and the rate the same?"
        )

    @property
    def idle(self) -> bool:
        """All that was sent is worked off."""
        return not self._waiting

    def has_room(self, body: bytes) -> bool:
        """The board can take another body."""
        return sum(size for _, size in self._waiting) + len(body) <= self.welcome.buffer

    def send(self, body: bytes) -> None:
        """Send operations; only if there is room."""
        self._write(Frame(Kind.WORK, self._session, self._sequence, body))
        self._sequence = (self._sequence + 1) % SEQUENCES
        self._waiting.append((self._sequence, len(body)))

    def answers(self) -> Iterator[Frame]:
        """Wait for the board; gives its values and its results, in order and whole.

        Raises
        ------
        LinkLostError
            If something was lost on the way, or the board is silent.
        TransportError
            If another host took the board, or the engine dropped a bad command.
        """
        end, polled = time.monotonic() + self._timeout, False
        while True:
            frames = list(self._read())
            for frame in frames:
                if self._handle(frame):
                    yield frame
            if frames:
                return
            if self._parser.damaged:
                raise LinkLostError("a frame from the board was damaged")
            if time.monotonic() > end:
                if polled:
                    raise LinkLostError("the board does not answer")
                self._write(Frame(Kind.POLL, self._session, 0, b"\0"))
                end, polled = time.monotonic() + self._timeout, True

    def _handle(self, frame: Frame) -> bool:
        """Take note of a frame; whether it is for the caller."""
        if frame.session != self._session:
            self._explain_session(frame.session)
        if frame.kind == Kind.REFUSED:
            reason = frame.body[0] if frame.body else 0
            name = Refusal(reason).name.lower() if reason in set(Refusal) else str(reason)
            raise LinkLostError(f"the board refused a frame: {name}")
        if frame.kind == Kind.DONE:
            self._take_off(frame.sequence)
            if frame.body != b"\0":
                raise TransportError("the engine dropped a bad command")
        if frame.kind == Kind.RESULTS:
            if frame.sequence != self._results_frames:
                raise LinkLostError("results were lost on the way")
            self._results_frames = (self._results_frames + 1) % SEQUENCES
        return frame.kind in (Kind.RESULTS, Kind.VALUE)

    def _explain_session(self, session: int) -> None:
        if session == 0:
            raise LinkLostError("the board was reset")
        raise TransportError("another host has taken the board; close it there and begin again")

    def _take_off(self, sequence: int) -> None:
        """All frames up to one are worked off; a number that is not waited for says nothing."""
        numbers = [number for number, _ in self._waiting]
        if sequence in numbers:
            del self._waiting[: numbers.index(sequence) + 1]

    def _write(self, frame: Frame) -> None:
        octets = frame.encode()
        try:
            self._port.write(octets)
        except OSError as error:
            raise TransportError(_gone(error)) from error
        self.sent += len(octets)

    def _read(self) -> Iterator[Frame]:
        try:
            octets = self._port.read(max(1, self._port.in_waiting))
        except (OSError, TypeError) as error:  # a port closed meanwhile has no descriptor
            raise TransportError(_gone(error)) from error
        self.received += len(octets)
        yield from self._parser.feed(octets)


def _gone(error: Exception) -> str:
    return f"the board is gone ({' '.join(str(error).split())}); plug it in and begin again"
