"""The simulated engine as a transport: the driver runs here, cocotb and Verilator in a process."""

import json
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.driver import Transport
from qcnpe.spec.commands import ErrorCause, check_command, command_fields, decode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import TransportError
from qcnpe.spec.model import Outcome
from qcnpe.spec.streams import Streams
from sim.cocotb_process import CocotbProcess
from sim.runner import DEFAULT_FOLDER, HARNESS_TOP, build

_SLACK_CYCLES = 10_000
_SLACK_FACTOR = 20
"""A run that takes so much longer than its count of cycles hangs; resting streams are slow."""


class SimulationTransport(Transport):
    """An engine's Verilog in Verilator, used as a context manager.

    Parameters
    ----------
    config : the engine
    folder : where simulations are kept
    rest : chance, in 1/256, that a stream rests in a cycle; 0 is full rate
    coverage : file that is given Verilator's coverage counts when the simulation ends

    Attributes
    ----------
    last_cycles : the busy counter of the last exchange

    Raises
    ------
    SimulatorError
        If the simulation cannot be built.
    TransportError
        If it stops or does not answer.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        folder: Path = DEFAULT_FOLDER,
        rest: int = 0,
        coverage: Path | None = None,
    ) -> None:
        self.config = config
        self.cycles = self.last_cycles = 0
        self._rest = rest
        self._coverage = coverage
        self._build = build(config, folder, coverage=coverage is not None)

    def __enter__(self) -> "SimulationTransport":
        self._process = CocotbProcess("sim.serve", self._build, toplevel=HARNESS_TOP)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.finish()
        if self._coverage is not None:
            shutil.copy(self._process.folder / "coverage.dat", self._coverage)
        self._process.close()

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Run the streams in the simulator."""
        outcome = self._run(streams, keep_going=False)
        if outcome.error:
            raise TransportError(f"the engine dropped a command: bad {outcome.error.name.lower()}")
        return outcome.results

    def exchange_any(self, streams: Streams) -> Outcome:
        """Run streams with bad commands among them; the error is cleared afterwards."""
        return self._run(streams, keep_going=True)

    def _run(self, streams: Streams, *, keep_going: bool) -> Outcome:
        streams.check(self.config)
        for name, array in (
            ("commands", streams.commands),
            ("activations", streams.activations),
            ("weights", streams.weights),
            ("parameters", streams.parameters),
        ):
            # The bench reads bytes in network order: the highest lane comes first.
            reversed_lanes = array[:, ::-1] if array.ndim == 2 else array
            big_endian = reversed_lanes.astype(array.dtype.newbyteorder(">"))
            (self._process.folder / f"{name}.bin").write_bytes(big_endian.tobytes())
        commands = streams.commands
        # Nobody counts the cycles of bad commands; each takes one.
        good = _good_commands(self.config, commands) if keep_going else commands
        expected = len(commands) + count_cycles(self.config, good)
        timeout = _SLACK_CYCLES + _SLACK_FACTOR * expected
        reply = self._request(
            results=streams.results, timeout=timeout, rest=self._rest, keep_going=keep_going
        )
        self.last_cycles = reply["cycles"]
        self.cycles += self.last_cycles
        error = ErrorCause(reply["error"])
        if not reply["done"] and (keep_going or not error):
            raise TransportError(f"the engine made no more results after {timeout} cycles")
        beats = streams.results if reply["done"] else 0
        return Outcome(self._read_results(beats), error)

    def _request(self, **request: int) -> dict[str, Any]:
        self._process.send(json.dumps(request))
        answer = self._process.receive()
        if not answer:
            raise TransportError(f"the simulation stopped: {self._process.last_line()}")
        reply: dict[str, Any] = json.loads(answer)
        return reply

    def _read_results(self, beats: int) -> NDArray[np.uint64]:
        digits = self.config.result_lane_bits // 4
        text = (self._process.folder / "results.hex").read_bytes() if beats else b""
        lines = np.frombuffer(text, np.uint8).reshape(beats, self.config.rows * digits + 1)
        lanes = lines[:, :-1].reshape(beats, self.config.rows, digits)[:, ::-1]
        values = np.where(lanes >= ord("a"), lanes - (ord("a") - 10), lanes - ord("0"))
        places = (4 * np.arange(digits)[::-1]).astype(np.uint64)
        return np.bitwise_or.reduce(values.astype(np.uint64) << places, axis=2)


def _good_commands(config: EngineConfig, commands: NDArray[np.uint64]) -> NDArray[np.uint64]:
    layout = command_fields(config)
    good = [not check_command(config, decode(layout, word)) for word in commands.tolist()]
    return commands[good]
