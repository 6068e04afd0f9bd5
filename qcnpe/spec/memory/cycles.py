"""How many cycles a run of an autonomous engine takes, descriptor by descriptor.

The engine itself follows `qcnpe.spec.cycles`. Around it, beats come when the banks have been read,
pass by pass, and results leave when they have been stored.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from qcnpe.spec.config import TILES_IN_FLIGHT
from qcnpe.spec.cycles import Schedule
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Descriptor, End, Fill, Load, Store, Table, Wait
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import Job, Machine

DESCRIPTOR_CYCLES = 3
"""Cycles in which the processor reads, checks and begins a descriptor."""

WALK_LATENCY = 4
"""Cycles from the start of tiles to the first tap, besides one for each source."""

BOOT_LATENCY = 6
"""Cycles of a boot besides the bus's latency and its words."""

LOAD_LATENCY = 5
"""Cycles from a load until a `Wait` goes on, besides the bus's latency and its words."""

STORE_LATENCY = 7
"""Cycles from a store until the next descriptor, besides the bus's latency and its words."""

TABLE_LATENCY = 3
"""Cycles from a table's descriptor until its first knot may enter the engine."""

LOOK_AHEAD = 2
"""Taps whose entries are read before they are needed: the next tiles may start while they last."""

FETCH_LATENCY = 4
"""Cycles from a tap to the first cycle in which its beat may enter the array."""

FETCHED_BEATS = 3
"""Beats that may be on their way from the banks, besides those in the engine's queue."""

STORE_JOBS = TILES_IN_FLIGHT
"""Descriptors of tiles whose results may be in flight, or on their way to the banks."""

WRITE_LATENCY = 2
"""Cycles from a column's last write until the banks hold it, and a `Wait` goes on."""

BUS_LATENCY = 30
"""Cycles after which the external memory answers, unless another latency is given."""


@dataclass(frozen=True)
class Span:
    """From one `Wait` for loads and tiles to the next: the time of a phase.

    Attributes
    ----------
    cycles : in all
    stalled : of these, cycles in which the processor waited for loads
    words_read, words_written : bus words whose transfer began
    """

    cycles: int
    stalled: int
    words_read: int
    words_written: int


@dataclass(frozen=True)
class RunCount:
    """Cycles and traffic of a run.

    Attributes
    ----------
    spans : what precedes the first phase, then every phase
    """

    spans: tuple[Span, ...]

    @property
    def cycles(self) -> int:
        """Cycles from the start to the interrupt."""
        return sum(span.cycles for span in self.spans)

    @property
    def stalled(self) -> int:
        """Of these, cycles in which the processor waited for loads."""
        return sum(span.stalled for span in self.spans)

    @property
    def words_read(self) -> int:
        """Bus words read from external memory."""
        return sum(span.words_read for span in self.spans)

    @property
    def words_written(self) -> int:
        """Bus words written to external memory."""
        return sum(span.words_written for span in self.spans)


def count_run(image: Image, *, first: bool, bus_latency: int = BUS_LATENCY) -> RunCount:
    """Cycles and traffic of a run.

    Parameters
    ----------
    image : of a network
    first : the run after the boot, which loads what is resident; else a further one
    bus_latency : cycles after which the external memory answers; then it transfers a bus word in
        every cycle
    """
    machine = Machine(image.config, computes=False)
    machine.external = {
        Base.IMAGE: image.data,
        Base.INPUT: np.zeros(image.input_bytes, np.uint8),
        Base.OUTPUT: np.zeros(image.output_bytes, np.uint8),
    }
    machine.run(boot_rows=image.boot_rows)
    timer = _Timer(image.config, bus_latency)
    if first:
        timer.boot(image.boot_rows)
    else:
        machine.done = []
        machine.run(boot_rows=image.again_boot_rows, start=image.again)
        timer.boot(image.again_boot_rows)
    for each in machine.done:
        timer.step(each)
    return RunCount(tuple(timer.spans))


class _Timer:
    """Cycle numbers of what happened last.

    Attributes
    ----------
    now : the processor begins its next descriptor
    loaded : the last load ends
    written : the last result is in its bank
    spans : that have ended
    """

    def __init__(self, config: MemoryConfig, bus_latency: int) -> None:
        self.now = self.loaded = self.written = 0
        self.spans: list[Span] = []
        self._start = self._stalled = self._words_read = self._words_written = 0
        self._config, self._latency = config, bus_latency
        self._schedule = Schedule(config.engine)
        self._walker = 0
        self._tap_ends: deque[int] = deque([0] * (LOOK_AHEAD + 1), maxlen=LOOK_AHEAD + 1)
        self._issued = self._entered = self._parameters = 0
        depth = config.engine.fifo_depth + FETCHED_BEATS
        self._history: deque[int] = deque([0] * depth, maxlen=depth)
        self._stores: deque[int] = deque([0] * STORE_JOBS, maxlen=STORE_JOBS)

    def boot(self, rows: int) -> None:
        """Load descriptors, if any."""
        if not rows:
            return
        self._words_read = rows * self._config.row_words(Memory.DESCRIPTORS)
        self.now = self._latency + BOOT_LATENCY + self._words_read

    def step(self, done: Descriptor | Job) -> None:
        """Execute a descriptor."""
        self.now += DESCRIPTOR_CYCLES
        match done:
            case Load(rows=rows, words=words):
                self._words_read += rows * words
                begins = self.now + self._latency + LOAD_LATENCY
                self.loaded = max(self.loaded, begins) + rows * words
            case Store(rows=rows, words=words):
                self._words_written += rows * words
                self.now = max(self.now, self.written) + self._latency
                self.now += STORE_LATENCY + rows * words
            case Fill(rows=rows):
                self.now = max(self.now, self.written) + rows
            case Table():
                begins = self.now + TABLE_LATENCY
                self._schedule.finished = max(self._schedule.finished, begins)
                self._schedule.load_table()
                self.written = max(self.written, self._schedule.finished + 1)
                self._parameters = self._entered = self._schedule.finished
            case Wait(loads=loads, tiles=tiles):
                self._wait(loads, tiles)
            case End():
                self._wait(loads=True, tiles=True)
            case Job():
                self._tiles(done)

    def _wait(self, loads: bool, tiles: bool) -> None:
        if tiles:
            self.now = max(self.now, self.written)
        stalled = max(0, self.loaded - self.now) if loads else 0
        self.now += stalled
        self._stalled += stalled
        if loads and tiles:
            cycles = self.now - self._start
            self.spans.append(Span(cycles, self._stalled, self._words_read, self._words_written))
            self._start = self.now
            self._stalled = self._words_read = self._words_written = 0

    def _tiles(self, job: Job) -> None:
        """Start when fetch and store take the job, then tile by tile."""
        self.now = max(self.now, self._walker, self._stores[0])
        start = self.now
        self._issued = max(self._issued, start + job.tiles.sources + WALK_LATENCY)
        self._parameters = max(self._parameters, self.now)
        segments = [_segments(job, tile) for tile in range(job.tiles.tiles)]
        columns = [_column_cycles(job, tile) for tile in range(job.tiles.tiles)]
        for number in range(job.tiles.tiles * job.tiles.repeat):
            tile = number % job.tiles.tiles
            self._tile(job, segments[tile], columns[tile])
        taps = len(job.taps) * job.tiles.tiles * job.tiles.repeat
        read = start + job.tiles.sources + WALK_LATENCY - LOOK_AHEAD + taps - 1
        self._walker = max(read, self._tap_ends[0] - 1)
        self._stores.append(self.written)

    def _tile(self, job: Job, segments: list[tuple[int, int]], column_cycles: int) -> None:
        for beats, passes in segments:
            self._fetch(beats, passes)
            self._tap_ends.append(self._issued)
        self._parameters += job.command.cols
        finish = max(self._entered, self._parameters, self._schedule.admit(job.command.cols))
        self._entered = self._history[-1] = finish
        self._schedule.finish_tile(finish, job.command, column_cycles)
        self.written = self._schedule.returned + column_cycles - 1 + WRITE_LATENCY

    def _fetch(self, beats: int, passes: int) -> None:
        """Beats are read while there is room, and enter one by one; a steady state is skipped."""
        steady = 0
        for beat in range(beats):
            issued = max(self._issued + passes, self._history[0] + 1)
            entered = max(self._entered + 1, issued + FETCH_LATENCY - 1)
            is_even = issued - self._issued == passes == entered - self._entered
            steady = steady + 1 if is_even else 0
            self._issued, self._entered = issued, entered
            self._history.append(entered)
            if steady > len(self._history):
                skipped = (beats - beat - 1) * passes
                self._issued += skipped
                self._entered += skipped
                self._history = deque(
                    (cycle + skipped for cycle in self._history), maxlen=self._history.maxlen
                )
                return


def _segments(job: Job, tile: int) -> list[tuple[int, int]]:
    """Beats of a tile that take equally many passes; those of the last taps apart."""
    found: list[tuple[int, int]] = []
    for number, tap in enumerate(job.taps):
        passes = int(job.fetch_passes[tile, tap["source"]])
        is_early = number < len(job.taps) - LOOK_AHEAD
        if found and is_early and found[-1][1] == passes:
            found[-1] = found[-1][0] + tap["count"], passes
        else:
            found.append((tap["count"], passes))
    return found


def _column_cycles(job: Job, tile: int) -> int:
    """Cycles in which a column of results is stored, on average, rounded up."""
    total = sum(
        int(job.store_passes[tile, write["map"]]) if write["bytes"] else 1 for write in job.writes
    )
    return -(-total // job.command.cols)
