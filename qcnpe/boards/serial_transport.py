"""An engine on a board, behind a serial port."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TypeVar

import numpy as np
import serial
from numpy.typing import NDArray

from qcnpe.boards.link import Link, LinkLostError
from qcnpe.boards.tiles import Planner, Step, cut_into_steps
from qcnpe.driver import Transport
from qcnpe.spec.commands import decode
from qcnpe.spec.config import NCU_KINDS, EngineConfig
from qcnpe.spec.errors import ConfigError, TransportError
from qcnpe.spec.frames import Kind, Operation, Work, cut_into_bodies
from qcnpe.spec.registers import (
    COUNTER_BITS,
    IDENTITY,
    INTERFACE_VERSION,
    Register,
    counter_names,
    registers,
)
from qcnpe.spec.streams import Streams

DEFAULT_BAUD = 3_000_000
"""Rate of the boards' bitstreams."""

_SEGMENT_BYTES = 1 << 16
"""Operands that are sent before the host waits for all of their results: what is sent again if
the line loses something."""

_POLL_SECONDS = 0.05

Result = TypeVar("Result")


class SerialTransport(Transport):
    """A board's engine as a transport, used as a context manager.

    What the line loses ends a session; the work since the last results is done again in a new one.
    The board itself never acts on a damaged frame. So a result is right, or there is none.

    Parameters
    ----------
    port : the serial port's path or name
    baud : its rate in bits a second
    timeout : seconds without an answer after which the board is asked, and then given up
    attempts : times that the same work is begun before the error is the caller's

    Attributes
    ----------
    config : the engine, as the board describes it
    cycles : cycles in which it was busy, over all exchanges
    losses : why sessions were lost, one line each
    restarts : how many were
    sent, received : octets over the line

    Raises
    ------
    TransportError
        If there is no port, no board, or another host has it.
    """

    def __init__(
        self, port: str, *, baud: int = DEFAULT_BAUD, timeout: float = 2.0, attempts: int = 4
    ) -> None:
        if attempts < 1:
            raise ConfigError(f"attempts must be at least 1, not {attempts}")
        self.cycles = 0
        self.losses: list[str] = []
        self._attempts = attempts
        self._stale = True
        self._table: tuple[Step, ...] = ()
        try:
            self._port = serial.Serial(
                port, baud, timeout=_POLL_SECONDS, write_timeout=timeout, exclusive=True
            )
        except (serial.SerialException, ValueError) as error:
            reason = " ".join(str(error).split())
            raise TransportError(
                f"{port} cannot be opened ({reason}); is the board plugged in, and no other"
                " program using it?"
            ) from error
        self._link = Link(self._port, timeout=timeout)
        try:
            self.config = self._retry(self._describe)
        except BaseException:
            self._port.close()
            raise

    def __enter__(self) -> "SerialTransport":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port free."""
        self._port.close()

    @property
    def restarts(self) -> int:
        """Sessions that the line cost."""
        return len(self.losses)

    @property
    def sent(self) -> int:
        """Octets to the board."""
        return self._link.sent

    @property
    def received(self) -> int:
        """Octets from the board."""
        return self._link.received

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Run the streams on the board."""
        streams.check(self.config)
        results = [np.zeros((0, self.config.rows), np.uint64)]
        self._table = ()
        for segment in _segments(cut_into_steps(streams, self.config)):
            results.append(self._retry(partial(self._run, segment)))
            self._table = tuple(step for step in segment if step.loads_table)[-1:] or self._table
        return np.concatenate(results)

    def read_register(self, name: str) -> int:
        """Value of one register."""
        return self._retry(lambda: self._read([name]))[name]

    def write_register(self, name: str, value: int) -> None:
        """Write one register."""
        work = Work(Operation.WRITE, 1, _register(name).offset, value.to_bytes(4, "little"))
        self._retry(lambda: self._collect([work], 0))

    def counters(self) -> dict[str, int]:
        """All performance counters since the board's last reset."""
        names = counter_names(self.config)
        halves = [f"{name}_{half}" for name in names for half in ("low", "high")]
        values = self._retry(lambda: self._read(halves))
        # An engine without the others has the first two only; the rest reads zero.
        return {name: values[f"{name}_low"] | values[f"{name}_high"] << 32 for name in names}

    def _retry(self, work: Callable[[], Result]) -> Result:
        """Do some work, in a new session if the last one was lost."""
        for _ in range(self._attempts):
            try:
                if self._stale:
                    self._greet()
                return work()
            except LinkLostError as error:
                lost = error
                self.losses.append(str(error))
                self._stale = True
            except TransportError:
                self._stale = True
                raise
        raise TransportError(f"{self._port.port}: {lost} (tried {self._attempts} times)")

    def _greet(self) -> None:
        """A new session: the board is as after power-on, but the last table is loaded again."""
        self._port.reset_input_buffer()
        self._link.greet()
        self._planner = Planner(self._link.welcome.store)
        self._busy = 0
        self._stale = False
        if self._table:
            self._run(self._table)

    def _describe(self) -> EngineConfig:
        """The engine's parameters out of its registers."""
        values = self._read(["identity", "version", "shape", "features"])
        if values["identity"] != IDENTITY or values["version"] != INTERFACE_VERSION:
            raise TransportError(
                f"{self._port.port}: no QC-NPE of interface version {INTERFACE_VERSION} there;"
                " load the board's bitstream, built from this version"
            )
        shape = _fields("shape", values["shape"])
        features = _fields("features", values["features"])
        widths = tuple(n for n in range(16, 0, -1) if features["precisions"] >> (n - 1) & 1)
        return EngineConfig(
            rows=shape["rows"],
            cols=shape["cols"],
            precisions=widths,
            ncu=NCU_KINDS[features["ncu"]],
            accumulator_bits=features["accumulator_bits"],
            table_segments=1 << features["table_segments"],
            fifo_depth=self._link.welcome.fifo_depth,
        )

    def _run(self, segment: Sequence[Step]) -> NDArray[np.uint64]:
        """Results of a segment; its cycles are added up."""
        works = (work for step in segment for work in self._planner.works(step))
        beats = sum(step.results for step in segment)
        lane_bytes = self.config.result_lane_bits // 8
        octets = self._collect(works, beats * self.config.rows * lane_bytes)
        lanes = np.frombuffer(octets, np.uint8).reshape(beats, self.config.rows, lane_bytes)
        places = 8 * np.arange(lane_bytes, dtype=np.uint64)
        results = np.bitwise_or.reduce(lanes.astype(np.uint64) << places, axis=2)
        halves = self._read(["busy_cycles_low", "busy_cycles_high"])
        busy = halves["busy_cycles_low"] | halves["busy_cycles_high"] << 32
        self.cycles += (busy - self._busy) % (1 << COUNTER_BITS)
        self._busy = busy
        return results

    def _read(self, names: Sequence[str]) -> dict[str, int]:
        """Values of registers, read in this order."""
        reads = [Work(Operation.READ, 1, _register(name).offset) for name in names]
        octets = self._collect(reads, 0, 4 * len(reads))
        values = np.frombuffer(octets, "<u4").tolist()
        return dict(zip(names, values, strict=True))

    def _collect(self, works: Iterable[Work], results: int, values: int = 0) -> bytes:
        """Send operations and gather so many octets of results, or of values."""
        bodies = list(cut_into_bodies(works, self._engine))
        got, wanted = bytearray(), results or values
        place = 0
        while place < len(bodies) or not self._link.idle or len(got) < wanted:
            while place < len(bodies) and self._link.has_room(bodies[place]):
                self._link.send(bodies[place])
                place += 1
            for frame in self._link.answers():
                if (frame.kind == Kind.RESULTS) != bool(results):
                    raise LinkLostError("an answer came that nobody asked for")
                got += frame.body
        if len(got) != wanted:
            raise LinkLostError(f"{len(got)} octets of results came, not {wanted}")
        return bytes(got)

    @property
    def _engine(self) -> EngineConfig:
        """The engine, or any one while it is not known: the first operations have no operands."""
        return getattr(self, "config", EngineConfig())


def _segments(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps in runs of about `_SEGMENT_BYTES` operands."""
    segment: list[Step] = []
    size = 0
    for step in steps:
        segment.append(step)
        size += step.activations.nbytes + step.weights.nbytes
        if size >= _SEGMENT_BYTES:
            yield segment
            segment, size = [], 0
    if segment:
        yield segment


def _register(name: str) -> Register:
    # No engine has one more register than another but at the end.
    known = {register.name: register for register in registers(EngineConfig())}
    if name not in known:
        raise ConfigError(f"register must be one of {', '.join(known)}, not {name!r}")
    return known[name]


def _fields(name: str, word: int) -> dict[str, int]:
    return decode(_register(name).fields, word)
