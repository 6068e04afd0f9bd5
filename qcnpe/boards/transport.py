"""An engine on a board that the host feeds, behind any port."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from qcnpe.boards.port import Port
from qcnpe.boards.session import BoardSession
from qcnpe.boards.tiles import Planner, WireStep, cut_into_wire_steps
from qcnpe.driver import Transport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import TransportError
from qcnpe.spec.frames import Kind, cut_into_bodies
from qcnpe.spec.registers import COUNTER_BITS, counter_names, registers
from qcnpe.spec.streams import Streams

_SEGMENT_BYTES = 1 << 16
"""Size of a segment of operands: the host waits for all results of a segment before it sends the
next one, and repeats the segment if the line loses something."""


class BoardTransport(BoardSession[EngineConfig], Transport):
    """A board's engine as a transport, used as a context manager; see `BoardSession`.

    Parameters
    ----------
    port, timeout, attempts, clock : see `BoardSession`

    Attributes
    ----------
    config : the engine, as the board describes it
    cycles : cycles in which it was busy, over all exchanges

    Raises
    ------
    TransportError
        If there is no board, or not one of this version with an engine that the host feeds.
    """

    def __init__(
        self,
        port: Port,
        *,
        timeout: float = 2.0,
        attempts: int = 4,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.cycles = 0
        self._table: tuple[WireStep, ...] = ()
        # Engines differ only in their last registers.
        table = registers(EngineConfig())
        super().__init__(port, table, timeout=timeout, attempts=attempts, clock=clock)

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Run the streams on the board."""
        streams.check(self.config)
        results = [np.zeros((0, self.config.rows), np.uint64)]
        self._table = ()
        for segment in _segments(cut_into_wire_steps(streams, self.config)):
            results.append(self._retry(partial(self._run, segment)))
            self._table = tuple(step for step in segment if step.loads_table)[-1:] or self._table
        return np.concatenate(results)

    def counters(self) -> dict[str, int]:
        """All performance counters since the board's last reset."""
        # An engine without the others has the first two only; the rest reads zero.
        return self._read_counters(counter_names(self.config))

    def _begin(self) -> None:
        super()._begin()
        if self._table:
            self._run(self._table)

    def _describe(self) -> EngineConfig:
        if not self._link.welcome.store:
            raise TransportError(
                f"{self._port.name}: the board has an autonomous engine; use it as a `BoardEngine`,"
                " or load another bitstream"
            )
        self._planner = Planner(self._link.welcome.store)
        self._busy = 0
        return self._engine()

    def _run(self, segment: Sequence[WireStep]) -> NDArray[np.uint64]:
        """Results of a segment; its cycles are added up."""
        requests = (work for step in segment for work in self._planner.requests(step))
        beats = sum(step.results for step in segment)
        lane_bytes = self.config.result_lane_bits // 8
        octets = self._collect(
            cut_into_bodies(requests, self.config),
            Kind.RESULTS,
            size=self.config.rows * lane_bytes,
            count=beats,
        )
        lanes = np.frombuffer(octets, np.uint8).reshape(beats, self.config.rows, lane_bytes)
        places = 8 * np.arange(lane_bytes, dtype=np.uint64)
        results = np.bitwise_or.reduce(lanes.astype(np.uint64) << places, axis=2)
        before, self._busy = self._busy, self._read_busy()
        self.cycles += (self._busy - before) % (1 << COUNTER_BITS)
        return results

    def _read_busy(self) -> int:
        """The counter of busy cycles."""
        halves = self._read(["busy_cycles_low", "busy_cycles_high"])
        return halves["busy_cycles_low"] | halves["busy_cycles_high"] << 32

    def _write(self, name: str, value: int) -> None:
        super()._write(name, value)
        self._busy = self._read_busy()  # the control register clears it


def _segments(steps: Iterable[WireStep]) -> Iterator[list[WireStep]]:
    """Steps in runs of about `_SEGMENT_BYTES` operands."""
    segment: list[WireStep] = []
    size = 0
    for step in steps:
        segment.append(step)
        size += step.activations.nbytes + step.weights.nbytes
        if size >= _SEGMENT_BYTES:
            yield segment
            segment, size = [], 0
    if segment:
        yield segment
