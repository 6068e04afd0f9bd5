"""A cocotb test in a simulator's process, and the connection to it."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from qcnpe.spec.errors import TransportError
from sim.runner import run_cocotb

_SOCKET_VARIABLE = "QCNPE_SIM_SOCKET"
"""Environment variable that tells the test where this process listens."""

_START_SECONDS = 300
"""Longest time until the test connects, on a busy machine."""


class CocotbProcess:
    """A running cocotb test.

    Both sides hold one end of a socket. When one of them ends, however it does, the other one reads
    the end of the stream: a test that heeds it never outlives its host.

    Parameters
    ----------
    module : the Python module of the test, which uses `connected`
    simulation : folder of the built simulation
    toplevel : the simulated module
    environment : more variables for the test

    Attributes
    ----------
    folder : the test's working folder; it is deleted at the end

    Raises
    ------
    TransportError
        If the test does not start.
    """

    def __init__(
        self,
        module: str,
        simulation: Path,
        *,
        toplevel: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._scratch = TemporaryDirectory(prefix="qcnpe-")
        self.folder = Path(self._scratch.name)
        address = str(self.folder / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            listener.settimeout(1)
            variables = {**(environment or {}), _SOCKET_VARIABLE: address}
            self._thread = threading.Thread(
                target=run_cocotb,
                args=(module, simulation, self.folder, variables),
                kwargs={"toplevel": toplevel},
                daemon=True,
            )
            self._thread.start()
            self._socket = self._accept(listener)
        self._lines = self._socket.makefile("rw")

    def _accept(self, listener: socket.socket) -> socket.socket:
        """Wait for the test, but not for one that has ended."""
        end = monotonic() + _START_SECONDS
        while self._thread.is_alive() and monotonic() < end:
            with suppress(TimeoutError):
                return listener.accept()[0]
        raise TransportError(f"the simulation did not start: {self.last_line()}")

    def send(self, line: str) -> None:
        """Send a line to the test; it gets lost if the test has ended."""
        with suppress(OSError):
            self._lines.write(line + "\n")
            self._lines.flush()

    def receive(self) -> str:
        """Wait for a line of the test; an empty one if it has ended."""
        try:
            return self._lines.readline()
        except OSError:
            return ""

    def finish(self) -> str:
        """Let the test end and wait for that; returns what it still had to send."""
        rest = ""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            rest = self._lines.read()
        self._thread.join()
        return rest

    def close(self) -> None:
        """Let the test end, and delete its folder."""
        self.finish()
        with suppress(OSError):
            self._lines.close()
        self._socket.close()
        self._scratch.cleanup()

    def last_line(self) -> str:
        """The last line of the simulator's log."""
        log = self.folder / "simulation.log"
        lines = log.read_text().splitlines() if log.is_file() else []
        return lines[-1] if lines else "it left no log"


@contextmanager
def connected() -> Iterator[socket.socket]:
    """Connect to the host, within a cocotb test."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[_SOCKET_VARIABLE])
        yield connection
