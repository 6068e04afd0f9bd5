"""A port that loses, repeats, reorders, delays and damages whole frames in both directions."""

from collections.abc import Callable, Sequence
from enum import Enum

import numpy as np

from qcnpe.boards.port import Port
from qcnpe.spec.frames import FrameParser


class Fault(Enum):
    """A fault of a frame."""

    NONE = "none"
    LOSE = "lose"
    DOUBLE = "double"
    SWAP = "swap"
    DELAY = "delay"
    DAMAGE = "damage"


FAULTS = [fault for fault in Fault if fault is not Fault.NONE]

Choice = Callable[[], Fault]


def no_fault() -> Fault:
    return Fault.NONE


def at(place: int, fault: Fault) -> Choice:
    """The frame with this number has the fault, all others none."""
    numbers = iter(range(1 << 30))
    return lambda: fault if next(numbers) == place else Fault.NONE


def randomly(rng: np.random.Generator, rate: float, faults: Sequence[Fault] = FAULTS) -> Choice:
    """Faults of all kinds, in a fraction of the frames."""

    def choose() -> Fault:
        return faults[int(rng.integers(len(faults)))] if rng.random() < rate else Fault.NONE

    return choose


class Way:
    """One direction of the line.

    Frames leave in the order of their times. A swapped frame waits for the next one, a delayed one
    for up to `longest` seconds.
    """

    def __init__(
        self,
        choose: Choice,
        clock: Callable[[], float],
        rng: np.random.Generator,
        longest: float,
    ) -> None:
        self.choose, self.clock, self.rng, self.longest = choose, clock, rng, longest
        self.frames: list[tuple[float, bytes]] = []
        self.held: bytes | None = None
        self.count = self.faults = 0

    def enter(self, frame: bytes) -> None:
        fault, now = self.choose(), self.clock()
        self.count += 1
        self.faults += fault is not Fault.NONE
        followers, self.held = ([] if self.held is None else [self.held]), None
        match fault:
            case Fault.NONE:
                followers.insert(0, frame)
            case Fault.DOUBLE:
                followers[:0] = [frame, frame]
            case Fault.SWAP:
                self.held = frame
            case Fault.DELAY:
                self.frames.append((now + self.longest * self.rng.random(), frame))
            case Fault.DAMAGE:
                changed = bytearray(frame)
                changed[self.rng.integers(1, len(frame) - 1)] ^= 0x08
                followers.insert(0, bytes(changed))
        self.frames += [(now, follower) for follower in followers]

    def leave(self) -> bytes:
        now = self.clock()
        due = sorted((entry for entry in self.frames if entry[0] <= now), key=lambda e: e[0])
        self.frames = [entry for entry in self.frames if entry[0] > now]
        return b"".join(frame for _, frame in due)


class FaultyPort:
    """Another port, with faults in the frames that pass it."""

    def __init__(
        self,
        port: Port,
        clock: Callable[[], float],
        *,
        to_board: Choice = no_fault,
        to_host: Choice = no_fault,
        seed: int = 0,
        longest: float = 1.0,
    ) -> None:
        self.port, self.name = port, port.name
        rng = np.random.default_rng(seed)
        self.to_board = Way(to_board, clock, rng, longest)
        self.to_host = Way(to_host, clock, rng, longest)
        self.parser = FrameParser()
        self.open, self.close = port.open, port.close

    @property
    def faults(self) -> int:
        return self.to_board.faults + self.to_host.faults

    @property
    def frames(self) -> int:
        return self.to_board.count + self.to_host.count

    def write(self, octets: bytes, /) -> None:
        """The host writes one whole frame at a time."""
        self.to_board.enter(octets)
        self.pass_on()

    def pass_on(self) -> None:
        if octets := self.to_board.leave():
            self.port.write(octets)

    def read(self) -> bytes:
        self.pass_on()
        for frame in self.parser.feed(self.port.read()):
            self.to_host.enter(frame.encode())
        return self.to_host.leave()
