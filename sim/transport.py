"""The simulated engine as a transport; cocotb and Verilator run in another process."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from qcnpe.driver import BadCommandError, Transport
from qcnpe.spec.commands import Command, ErrorCause, decode_until_bad
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import TransportError
from qcnpe.spec.model import Outcome
from qcnpe.spec.streams import Streams
from sim.cocotb_process import CocotbProcess
from sim.runner import HARNESS_TOP, build
from sim.verilator import DEFAULT_FOLDER
from sim.waves import Waves

_SLACK_CYCLES = 10_000
_SLACK_FACTOR = 20
"""A run that takes this many times its count of cycles has failed; idle streams make runs slow."""


class SimulationTransport(Transport):
    """An engine's Verilog in Verilator, used as a context manager.

    Parameters
    ----------
    config : the engine
    folder : for built simulations
    rest : probability, in 1/256, that a stream is idle in a cycle; 0 is full rate
    coverage : file for Verilator's coverage counts, written when the simulation ends
    waves : file of all signals, written when the simulation ends, also after a wrong result

    Attributes
    ----------
    last_cycles : the busy counter of the last exchange

    Raises
    ------
    ToolError
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
        waves: Waves | None = None,
    ) -> None:
        self.config = config
        self.cycles = self.last_cycles = 0
        self._rest = rest
        self._coverage = coverage
        self._waves = waves
        self._build = build(config, folder, coverage=coverage is not None, waves=waves)

    def __enter__(self) -> "SimulationTransport":
        self._process = CocotbProcess(
            "sim.serve", self._build, toplevel=HARNESS_TOP, waves=self._waves
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None or (self._waves and isinstance(error, TransportError)):
                self._process.finish()
                self._collect()
        finally:
            self._process.close()

    def _collect(self) -> None:
        """Keep the files that the simulation has written at its end."""
        if self._coverage is not None:
            shutil.copy(self._process.folder / "coverage.dat", self._coverage)
        if self._waves is not None:
            self._waves.collect(self._process.folder)

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Run the streams in the simulator."""
        (outcome,) = self.exchange_segments([streams])
        if outcome.error:
            raise BadCommandError(outcome.error)
        return outcome.results

    def exchange_segments(self, segments: Sequence[Streams]) -> list[Outcome]:
        """Run streams one after another, each when the engine has finished the previous ones.

        They may contain bad commands: the engine halts at one, and resumes after its segment, when
        all words of the segment have been taken.
        """
        for streams in segments:
            streams.check(self.config)
        self._write_files(segments)
        results = [streams.results for streams in segments]
        counted = max(count_cycles(self.config, _before_error(self.config, s)) for s in segments)
        most = max(_words(streams) for streams in segments)
        timeout = _SLACK_CYCLES + _SLACK_FACTOR * (counted + most)
        replies = self._request(results=results, timeout=timeout, rest=self._rest)
        self.last_cycles = replies[-1]["cycles"]
        self.cycles += sum(reply["cycles"] for reply in replies)
        if not replies[-1]["done"]:
            raise TransportError(
                f"the engine did not finish within {timeout} cycles; every command needs all of its"
                " operands, and no others may be sent"
            )
        beats = [reply["beats"] for reply in replies]
        errors = [ErrorCause(reply["error"]) for reply in replies]
        blocks = np.split(self._read_results(sum(beats)), np.cumsum(beats)[:-1])
        return [Outcome(*pair) for pair in zip(blocks, errors, strict=True)]

    def _write_files(self, segments: Sequence[Streams]) -> None:
        """Write a file of each stream's words, and one of the number of words in each segment."""
        for name in ("commands", "activations", "weights", "parameters"):
            arrays = [getattr(streams, name) for streams in segments]
            array = np.concatenate(arrays)
            # The bench reads bytes in network order: the highest lane comes first.
            reversed_lanes = array[:, ::-1] if array.ndim == 2 else array
            big_endian = reversed_lanes.astype(array.dtype.newbyteorder(">"))
            (self._process.folder / f"{name}.bin").write_bytes(big_endian.tobytes())
            counts = np.array([len(part) for part in arrays], ">u4")
            (self._process.folder / f"{name}.counts").write_bytes(counts.tobytes())

    def _request(self, **request: object) -> list[dict[str, int]]:
        self._process.send(json.dumps(request))
        answer = self._process.receive()
        if not answer:
            raise TransportError(f"the simulation stopped: {self._process.failure()}")
        replies: list[dict[str, int]] = json.loads(answer)
        return replies

    def _read_results(self, beats: int) -> NDArray[np.uint64]:
        digits = self.config.result_lane_bits // 4
        text = (self._process.folder / "results.hex").read_bytes() if beats else b""
        lines = np.frombuffer(text, np.uint8).reshape(beats, self.config.rows * digits + 1)
        lanes = lines[:, :-1].reshape(beats, self.config.rows, digits)[:, ::-1]
        values = np.where(lanes >= ord("a"), lanes - (ord("a") - 10), lanes - ord("0"))
        places = (4 * np.arange(digits)[::-1]).astype(np.uint64)
        return np.bitwise_or.reduce(values.astype(np.uint64) << places, axis=2)


def _before_error(config: EngineConfig, streams: Streams) -> list[Command]:
    """The commands before the first bad one."""
    commands, _ = decode_until_bad(config, streams.commands)
    return commands


def _words(streams: Streams) -> int:
    """Words of the longest of the streams."""
    operands = (streams.activations, streams.weights, streams.parameters)
    return max(len(streams.commands), *(len(array) for array in operands))
