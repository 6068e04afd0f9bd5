"""The frame format between a host and a board, for host and RTL.

Frames are stuffed octets between flags, as in RFC 1662, with a CRC-32 at the end. Each flag begins
a new frame, whatever preceded it; a frame whose CRC is wrong is never executed.

A frame is a header, a body and the CRC:

| octets | field |
| --- | --- |
| 1 | kind |
| 2 | session: chosen by the host, repeated by the board; low octet first |
| 1 | sequence: number of this frame in its session |
| 1..`MAX_BODY` | body; one octet of zero in kinds without content |
| 4 | CRC-32 of all before it, low octet first |

The body of a `WORK` frame is a list of operations. Each begins with `OPERATION_FIELDS` and goes on
with `count` words, whose size follows from its code. The board executes them in order. A `READ` is
the only operation of its body: the `VALUE` that answers it has the sequence number of its frame.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from qcnpe.spec.commands import COMMAND_BITS, PARAMETER_BITS, Field
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError, TransportError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.registers import REGISTER_BYTES

LINK_VERSION = 1
"""Changes whenever a frame or an operation changes its meaning."""

FLAG = 0x7E
"""Begins and ends a frame."""

ESCAPE = 0x7D
"""Precedes an octet equal to a flag or an escape; that octet is XORed with `ESCAPE_MASK`."""

ESCAPE_MASK = 0x20

CRC_BYTES = 4
HEADER_BYTES = 4
MAX_BODY = 256
"""Octets of the longest body that the host sends."""

RESULT_BEATS = 8
"""Result beats in a frame, at most."""

MIN_BUFFER = 2 * MAX_BODY
"""Octets of the smallest buffer: a body is executed while the next one arrives."""

MIN_STORE = 16
"""Beats of the smallest operand store."""

MAX_MEMORY = 1 << 15
"""Octets of the largest buffer, and beats of the largest operand store."""

SEQUENCES = 256
"""Modulus of the sequence numbers."""


class Kind(IntEnum):
    """Kind of a frame; kinds from 0x80 on are sent by the board."""

    HELLO = 0x01
    WORK = 0x02
    POLL = 0x03
    WELCOME = 0x81
    DONE = 0x82
    RESULTS = 0x83
    VALUE = 0x84
    REFUSED = 0x85


class Refusal(IntEnum):
    """Why the board refused a frame."""

    DAMAGED = 1
    SESSION = 2
    SEQUENCE = 3
    OVERFLOW = 4
    KIND = 5


class Operation(IntEnum):
    """Operations that the board executes for the host.

    PLAY streams beats of an operand store to the engine. FEED answers what an autonomous engine
    reads from its external memory, bus word by bus word, in the order in which it reads, and
    FEED_ZEROS `count` bus words that are zero. They are the only ones, besides WRITE and READ, that
    the board of such an engine executes. There a WRITE waits until the engine's run has ended.
    """

    COMMANDS = 1
    PARAMETERS = 2
    STORE_ACTIVATIONS = 3
    STORE_WEIGHTS = 4
    PLAY_ACTIVATIONS = 5
    PLAY_WEIGHTS = 6
    WRITE = 7
    READ = 8
    FEED = 9
    FEED_ZEROS = 10


HEADER_FIELDS = (
    Field("kind", 8, "see `Kind`"),
    Field("session", 16, "number of the session"),
    Field("sequence", 8, "number of the frame"),
)

WELCOME_FIELDS = (
    Field("version", 8, "`LINK_VERSION` of the board"),
    Field("fifo_depth", 16, "words in each stream's queue"),
    Field("buffer", 16, "octets of bodies that the board can buffer"),
    Field("store", 16, "beats of each operand store; 0 if the engine is an autonomous one"),
)
"""Body of the answer to a greeting. The engine's parameters are in its registers."""

OPERATION_FIELDS = (
    Field("code", 8, "see `Operation`"),
    Field("count", 16, "words that follow, beats to stream, or words of zero"),
    Field("address", 16, "of a beat in a store, or of a register"),
)

_HEADER = Struct("<BHB")
_OPERATION = Struct("<BHH")
_WELCOME = Struct("<BHHH")
_WELCOME_NAMES = tuple(field.name for field in WELCOME_FIELDS)
OPERATION_BYTES = _OPERATION.size


def check_memories(buffer: int, store: int) -> None:
    """Check the sizes of a board's memories.

    Parameters
    ----------
    buffer : octets of bodies that wait to be executed, a power of two, `MIN_BUFFER`..`MAX_MEMORY`
    store : beats of each operand store, a power of two, `MIN_STORE`..`MAX_MEMORY`

    Raises
    ------
    ConfigError
        If one is out of range.
    """
    for name, value, low in (("buffer", buffer, MIN_BUFFER), ("store", store, MIN_STORE)):
        if not low <= value <= MAX_MEMORY or value & (value - 1):
            raise ConfigError(f"{name} must be a power of two, {low}..{MAX_MEMORY}, not {value}")


LinkedEngine = EngineConfig | MemoryConfig
"""What is behind a link: an engine that a host feeds, or an autonomous one."""


def word_sizes(config: LinkedEngine) -> dict[Operation, int]:
    """Octets of each word that follows an operation, for those that words follow."""
    if isinstance(config, MemoryConfig):
        return {Operation.FEED: config.bus_bytes, Operation.WRITE: REGISTER_BYTES}
    return {
        Operation.COMMANDS: COMMAND_BITS // 8,
        Operation.PARAMETERS: PARAMETER_BITS // 8,
        Operation.STORE_ACTIVATIONS: OPERAND_BITS // 8 * config.rows,
        Operation.STORE_WEIGHTS: OPERAND_BITS // 8 * config.cols,
        Operation.WRITE: REGISTER_BYTES,
    }


def word_bytes(operation: Operation, config: LinkedEngine) -> int:
    """Octets of each word that follows an operation; none follow if it is zero."""
    return word_sizes(config).get(operation, 0)


def result_bits(config: LinkedEngine) -> int:
    """Bits of a beat of results: of an autonomous engine, a bus word that it writes."""
    if isinstance(config, MemoryConfig):
        return config.bus_bits
    return config.rows * config.result_lane_bits


@dataclass(frozen=True)
class Frame:
    """A frame without its CRC and its stuffing."""

    kind: int
    session: int
    sequence: int
    body: bytes = b""

    def encode(self) -> bytes:
        """Octets of the frame on the line, flags included."""
        plain = _HEADER.pack(self.kind, self.session, self.sequence) + self.body
        plain += zlib.crc32(plain).to_bytes(CRC_BYTES, "little")
        stuffed = bytearray([FLAG])
        for octet in plain:
            if octet in (FLAG, ESCAPE):
                stuffed += bytes((ESCAPE, octet ^ ESCAPE_MASK))
            else:
                stuffed.append(octet)
        stuffed.append(FLAG)
        return bytes(stuffed)


class FrameParser:
    """Finds frames in a stream of octets, with any chunks and any octets between frames.

    Attributes
    ----------
    damaged : number of runs of octets between flags that were not a frame
    """

    _MAX_OCTETS = 1 << 16
    """Longer runs without a flag are garbage and are not stored."""

    def __init__(self) -> None:
        self.damaged = 0
        self._octets = bytearray()
        self._escaped = False

    def feed(self, received: bytes) -> Iterator[Frame]:
        """Frames that end within `received`."""
        for octet in received:
            if octet == FLAG:
                yield from self._finish()
            elif octet == ESCAPE:
                self._escaped = True
            elif len(self._octets) < self._MAX_OCTETS:
                self._octets.append(octet ^ ESCAPE_MASK if self._escaped else octet)
                self._escaped = False

    def _finish(self) -> Iterator[Frame]:
        octets, self._octets = bytes(self._octets), bytearray()
        broken, self._escaped = self._escaped, False
        if not octets and not broken:
            return
        plain, crc = octets[:-CRC_BYTES], octets[-CRC_BYTES:]
        good = len(plain) >= HEADER_BYTES and zlib.crc32(plain) == int.from_bytes(crc, "little")
        if broken or not good:
            self.damaged += 1
            return
        kind, session, sequence = _HEADER.unpack_from(plain)
        yield Frame(kind, session, sequence, plain[HEADER_BYTES:])


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """The parameters of a board's link; see `WELCOME_FIELDS`."""

    version: int
    fifo_depth: int
    buffer: int
    store: int

    def encode(self) -> bytes:
        """Encode as the body of a frame."""
        return _WELCOME.pack(self.version, self.fifo_depth, self.buffer, self.store)

    @staticmethod
    def decode(body: bytes) -> "Welcome":
        """Decode the body of a frame.

        Raises
        ------
        TransportError
            If the version is another one, or a value is out of range.
        """
        if not body or body[0] != LINK_VERSION:
            found = body[0] if body else "unknown"
            raise TransportError(
                f"the board speaks version {found} of the link, this host {LINK_VERSION};"
                " build its bitstream again"
            )
        if len(body) != _WELCOME.size:
            raise TransportError(
                f"the board's welcome has {len(body)} octets, not {_WELCOME.size};"
                " build its bitstream again"
            )
        welcome = Welcome(**dict(zip(_WELCOME_NAMES, _WELCOME.unpack(body), strict=True)))
        try:
            check_memories(welcome.buffer, welcome.store or MIN_STORE)
        except ConfigError as error:
            raise TransportError(
                f"the board's welcome is not valid: {error}; build its bitstream again"
            ) from error
        return welcome


@dataclass(frozen=True)
class Request:
    """An operation with its words."""

    operation: Operation
    count: int
    address: int = 0
    words: bytes = b""

    def encode(self) -> bytes:
        """Encode as a part of a body."""
        return _OPERATION.pack(self.operation, self.count, self.address) + self.words


def cut_into_bodies(requests: Iterable[Request], config: LinkedEngine) -> Iterator[bytes]:
    """Bodies of at most `MAX_BODY` octets; an operation with too many words is split."""
    body = b""
    for request in requests:
        for part in _fitting(request, config):
            encoded = part.encode()
            if len(body) + len(encoded) > MAX_BODY:
                yield body
                body = b""
            body += encoded
    if body:
        yield body


def _fitting(work: Request, config: LinkedEngine) -> Iterator[Request]:
    size = word_bytes(work.operation, config)
    if not size:
        yield work
        return
    most = (MAX_BODY - OPERATION_BYTES) // size
    for start in range(0, work.count, most):
        count = min(most, work.count - start)
        words = work.words[start * size : (start + count) * size]
        # Only addresses of a store are incremented.
        stores = work.operation in (Operation.STORE_ACTIVATIONS, Operation.STORE_WEIGHTS)
        yield Request(work.operation, count, work.address + stores * start, words)


def read_requests(body: bytes, config: LinkedEngine) -> Iterator[Request]:
    """The operations of a body; an incomplete header at its end is ignored."""
    place = 0
    while place + OPERATION_BYTES <= len(body):
        code, count, address = _OPERATION.unpack_from(body, place)
        place += OPERATION_BYTES
        if code not in set(Operation):
            continue
        operation = Operation(code)
        size = count * word_bytes(operation, config)
        yield Request(operation, count, address, body[place : place + size])
        place += size
