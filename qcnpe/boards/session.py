"""A session with a board that is begun anew after a loss, whatever engine the board has."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

from qcnpe.boards.link import Link, LinkLostError
from qcnpe.boards.port import Port
from qcnpe.spec.commands import decode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, TransportError
from qcnpe.spec.frames import RESULT_BEATS, Kind, Operation, Request
from qcnpe.spec.ncu_kind import kind_of_code
from qcnpe.spec.registers import IDENTITY, INTERFACE_VERSION, REGISTER_BYTES, Access, Register

Result = TypeVar("Result")
Config = TypeVar("Config")


class BoardSession(ABC, Generic[Config]):
    """Work on a board that is repeated after a loss, used as a context manager.

    A loss on the way ends the session; the work since the last results is repeated in a new one.
    The board never executes a damaged frame. So a result is right, or there is none.

    No call waits for ever. A call to a board that does not answer fails after at most `attempts`
    times twice `timeout`; a board that answers must acknowledge a frame, or send results or a
    value, within twice `timeout`. After an error of any kind the next call begins a new session: it
    opens a closed port, greets the board and checks that the same engine is there.

    Parameters
    ----------
    port : the way to the board; the session closes it at its end
    table : registers, of any engine of the kind
    timeout : seconds without progress after which the board is polled, and after as many again the
        session is lost; longer than a frame with results takes on the line
    attempts : sessions in which the same work is tried before the call fails
    clock : gives the time in seconds

    Attributes
    ----------
    config : the engine, as the board describes it
    losses : reasons of lost sessions, one line each
    restarts : number of lost sessions
    sent, received : octets over the port

    Raises
    ------
    TransportError
        If there is no board, or not one of this version.
    """

    config: Config

    def __init__(
        self,
        port: Port,
        table: Iterable[Register],
        *,
        timeout: float = 2.0,
        attempts: int = 4,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if attempts < 1:
            raise ConfigError(f"attempts must be at least 1, not {attempts}")
        if timeout <= 0:
            raise ConfigError(f"timeout must be more than 0 seconds, not {timeout:g}")
        self.losses: list[str] = []
        self._port, self._attempts = port, attempts
        self._registers: Mapping[str, Register] = {each.name: each for each in table}
        self._stale, self._is_described = True, False
        self._settings: dict[str, int] = {}
        self._link = Link(port, timeout=timeout, clock=clock)
        try:
            self._retry(lambda: None)
        except BaseException:
            self._port.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the port; a further call opens it again."""
        self._stale = True
        self._port.close()

    @property
    def restarts(self) -> int:
        """Number of lost sessions."""
        return len(self.losses)

    @property
    def sent(self) -> int:
        """Octets to the board."""
        return self._link.sent

    @property
    def received(self) -> int:
        """Octets from the board."""
        return self._link.received

    def read_register(self, name: str) -> int:
        """Value of one register."""
        self._register(name)
        return self._retry(lambda: self._read([name]))[name]

    def write_register(self, name: str, value: int) -> None:
        """Write one register; what it keeps is written again in later sessions."""
        register, most = self._register(name), (1 << 8 * REGISTER_BYTES) - 1
        if not 0 <= value <= most:
            raise ConfigError(f"value of {name} must be 0..{most}, not {value}")
        self._retry(lambda: self._write(name, value))
        if register.access is Access.READ_WRITE:
            self._settings[name] = value

    def _read_counters(self, names: Sequence[str]) -> dict[str, int]:
        """Counters since the board's last reset."""
        halves = [f"{name}_{half}" for name in names for half in ("low", "high")]
        values = self._retry(lambda: self._read(halves))
        return {name: values[f"{name}_low"] | values[f"{name}_high"] << 32 for name in names}

    def _retry(self, work: Callable[[], Result]) -> Result:
        """Do some work, in a new session if the last work was not finished.

        A session continues only after finished work: an interruption, even by an exception of the
        caller, may leave frames in flight.
        """
        for _ in range(self._attempts):
            stale, self._stale = self._stale, True
            try:
                if stale:
                    self._begin()
                result = work()
            except LinkLostError as error:
                lost = error
                self.losses.append(str(error))
                continue
            self._stale = False
            return result
        raise TransportError(f"{self._port.name}: {lost} (tried {self._attempts} times)")

    def _begin(self) -> None:
        """Begin a session: the board is as after power-on, so its state is set up again."""
        self._port.open()
        self._link.greet()
        found = self._describe()
        if self._is_described and found != self.config:
            raise TransportError(f"{self._port.name}: another engine is there now; begin again")
        self.config, self._is_described = found, True
        for name, value in self._settings.items():
            self._write(name, value)

    @abstractmethod
    def _describe(self) -> Config:
        """The engine that is there, at the begin of a session; one of another kind is refused."""

    def _engine(self) -> EngineConfig:
        """The engine's parameters, from its registers."""
        values = self._read(["identity", "version", "shape", "features"])
        if values["identity"] != IDENTITY or values["version"] != INTERFACE_VERSION:
            raise TransportError(
                f"{self._port.name}: no QC-NPE of interface version {INTERFACE_VERSION} there;"
                " load the board's bitstream, built from this version"
            )
        shape = self._fields("shape", values["shape"])
        features = self._fields("features", values["features"])
        widths = tuple(n for n in range(16, 0, -1) if features["precisions"] >> (n - 1) & 1)
        try:
            return EngineConfig(
                rows=shape["rows"],
                cols=shape["cols"],
                precisions=widths,
                ncu=kind_of_code(features["ncu"]).name,
                accumulator_bits=features["accumulator_bits"],
                table_segments=1 << features["table_segments"],
                fifo_depth=self._link.welcome.fifo_depth,
            )
        except ConfigError as error:
            raise self._not_described(error) from error

    def _not_described(self, error: ConfigError) -> TransportError:
        """The error of a board that describes itself in a way that this version does not know."""
        return TransportError(
            f"{self._port.name}: the board describes no engine of this version ({error});"
            " build its bitstream again"
        )

    def _read(self, names: Sequence[str]) -> dict[str, int]:
        """Values of registers, read in this order."""
        bodies = [
            Request(Operation.READ, 1, self._register(name).offset).encode() for name in names
        ]
        octets = self._collect(bodies, Kind.VALUE, size=REGISTER_BYTES, count=len(names))
        values = np.frombuffer(octets, "<u4").tolist()
        return dict(zip(names, values, strict=True))

    def _write(self, name: str, value: int) -> None:
        words = value.to_bytes(REGISTER_BYTES, "little")
        body = Request(Operation.WRITE, 1, self._register(name).offset, words).encode()
        self._collect([body], Kind.RESULTS, size=REGISTER_BYTES, count=0)

    def _collect(self, bodies: Iterable[bytes], kind: Kind, *, size: int, count: int) -> bytes:
        """Send bodies and wait until they are executed.

        Parameters
        ----------
        bodies : operations
        kind : of the frames that answer them
        size : octets of each item in those frames
        count : number of items to wait for

        Returns
        -------
        The items.
        """
        pending, got = deque(bodies), bytearray()
        while pending or not self._link.idle or len(got) < size * count:
            while pending and self._link.has_room(pending[0]):
                self._link.send(pending.popleft())
            for frame in self._link.receive():
                items, rest = divmod(len(frame.body), size)
                most = RESULT_BEATS if kind is Kind.RESULTS else 1
                if frame.kind != kind or rest or not 1 <= items <= most:
                    raise LinkLostError("an answer came that nobody asked for")
                got += frame.body
            if len(got) > size * count:
                raise LinkLostError(f"more than {size * count} octets of results came")
        return bytes(got)

    def _register(self, name: str) -> Register:
        if name not in self._registers:
            known = ", ".join(self._registers)
            raise ConfigError(f"register must be one of {known}, not {name!r}")
        return self._registers[name]

    def _fields(self, name: str, word: int) -> dict[str, int]:
        return decode(self._register(name).fields, word)
