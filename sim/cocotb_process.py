"""cocotb tests in a simulator's process, and the connection to them."""

import os
import socket
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from cocotb_tools import config

from qcnpe.generate import TOP
from qcnpe.spec.errors import ToolError
from qcnpe.tools.process import Process
from sim.verilator import PROGRAM, libpython
from sim.waves import Waves

_SOCKET_VARIABLE = "QCNPE_SIM_SOCKET"
"""Environment variable with the descriptor of the test's end of the socket."""

_RESULTS, _LOG, _LIBRARIES = "results.xml", "simulation.log", "cocotb-libraries"

_END_LIMIT_S = 300
"""Time limit from the request to end until the end, for a busy machine."""


def start(
    module: str,
    simulation: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    toplevel: str,
    inherited: Collection[int] = (),
    log: Path | None = None,
    waves: Waves | None = None,
) -> Process:
    """Start the cocotb tests of a module on a built simulation.

    Parameters
    ----------
    module : the Python module of the tests
    simulation : folder of the built simulation
    folder : working folder
    environment : more variables for the tests
    toplevel : the simulated module
    inherited : descriptors of open files that the tests share
    log : file for the output of the simulator
    waves : the file of waveforms that it writes
    """
    # A link, since the loader interprets some characters of a path.
    (folder / _LIBRARIES).symlink_to(config.libs_dir)
    searched = (_LIBRARIES, os.environ.get("LD_LIBRARY_PATH", ""))
    variables = {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, searched)),
        "GPI_USERS": f"{libpython()};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TOPLEVEL": toplevel,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": _RESULTS,
        "COCOTB_TRUST_INERTIAL_WRITES": "1",  # Verilator does them well, and cocotb is faster
        **environment,
    }
    command: list[str | Path] = [simulation / PROGRAM, *(waves.arguments if waves else ())]
    return Process(
        "simulation", command, folder, log=log, environment=variables, inherited=inherited
    )


def run_cocotb(
    module: str,
    simulation: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    toplevel: str = TOP,
    waves: Waves | None = None,
) -> Path:
    """Run the cocotb tests of a module to their end; see `start`.

    The output of the simulator goes to `simulation.log` in the folder.

    Returns
    -------
    The file of results, in JUnit's format.

    Raises
    ------
    ToolError
        If the simulator fails.
    """
    results = folder / _RESULTS
    with start(
        module, simulation, folder, environment, toplevel=toplevel, log=folder / _LOG, waves=waves
    ) as process:
        process.wait()
        process.keep_log()
        if not results.is_file():
            raise process.failure()
    if waves:
        waves.collect(folder)
    return results


class CocotbProcess:
    """A running cocotb test.

    Both processes hold one end of a socket. When one process ends, for whatever reason, the other
    one reads the end of the stream: a test that ends then never outlives its host.

    Parameters
    ----------
    module : the Python module of the test, which uses `connected`
    simulation : folder of the built simulation
    toplevel : the simulated module
    environment : more variables for the test
    waves : the file of waveforms that the simulator writes

    Attributes
    ----------
    folder : the test's working folder; it is deleted at the end

    Raises
    ------
    ToolError
        If the simulator cannot be started.
    """

    def __init__(
        self,
        module: str,
        simulation: Path,
        *,
        toplevel: str,
        environment: Mapping[str, str] | None = None,
        waves: Waves | None = None,
    ) -> None:
        self._scratch = TemporaryDirectory(prefix="qcnpe-")
        self.folder = Path(self._scratch.name)
        self._socket, other = socket.socketpair()
        with other:
            number = other.fileno()
            variables = {**(environment or {}), _SOCKET_VARIABLE: str(number)}
            self._process = start(
                module,
                simulation,
                self.folder,
                variables,
                toplevel=toplevel,
                inherited=[number],
                waves=waves,
            )
        self._lines = self._socket.makefile("rw")

    def send(self, line: str) -> None:
        """Send a line to the test; it is lost if the test has ended."""
        with suppress(OSError):
            self._lines.write(line + "\n")
            self._lines.flush()

    def receive(self) -> str:
        """Wait for a line of the test; returns an empty one if the test has ended."""
        try:
            return self._lines.readline()
        except OSError:
            return ""

    def finish(self) -> str:
        """Let the test end and wait for its end; returns its last output."""
        rest = ""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            rest = self._lines.read()
        self._process.wait(_END_LIMIT_S)
        return rest

    def close(self) -> None:
        """End the test at once, unless it has ended, and delete its folder."""
        with suppress(OSError):
            self._lines.close()
        self._socket.close()
        self._process.close()
        self._scratch.cleanup()

    def failure(self) -> ToolError:
        """Why the test ended before it was requested to."""
        self._process.wait(_END_LIMIT_S)
        return self._process.failure()


@contextmanager
def connected() -> Iterator[socket.socket]:
    """The connection to the host, within a cocotb test."""
    with socket.socket(fileno=int(os.environ[_SOCKET_VARIABLE])) as connection:
        yield connection
