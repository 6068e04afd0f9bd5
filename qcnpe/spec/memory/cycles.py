"""How many cycles a run of an autonomous engine takes, descriptor by descriptor.

The engine itself follows `qcnpe.spec.cycles`. Around it, beats come when the banks have been read,
pass by pass, and results leave when they have been stored; see `timing`. The count equals the
hardware's counter if the base addresses are multiples of 4 kB.
"""

from dataclasses import dataclass

from qcnpe.spec.cycles import Schedule
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Descriptor, End, Fill, Load, Store, Table, Wait
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import Job, follow_image
from qcnpe.spec.memory.timing import (
    DESCRIPTOR_CYCLES,
    LOOK_AHEAD,
    CommandTimes,
    FetchTimes,
    LoadTimes,
    ParameterTimes,
    StoreTimes,
    TileWrites,
    WalkTimes,
)

STORE_LATENCY = 8
"""Cycles from a store until the next descriptor, besides the bus's latency and its words."""

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
    timer = _Timer(image.config, bus_latency)
    timer.boot(image.boot_rows if first else image.again_boot_rows)
    for each in follow_image(image, first=first).done:
        timer.step(each)
    return RunCount(tuple(timer.spans))


class _Timer:
    """Cycle numbers of what happened last.

    Attributes
    ----------
    now : the processor begins its next descriptor
    spans : that have ended
    """

    def __init__(self, config: MemoryConfig, bus_latency: int) -> None:
        self.now = 0
        self.spans: list[Span] = []
        self._start = self._stalled = self._words_read = self._words_written = 0
        self._config, self._latency = config, bus_latency
        engine = config.engine
        self._schedule = Schedule(engine)
        self._commands = CommandTimes(engine.fifo_depth)
        self._parameters = ParameterTimes(engine)
        self._walk = WalkTimes()
        self._fetch = FetchTimes(engine.fifo_depth)
        self._store = StoreTimes()
        self._loads = LoadTimes(bus_latency, self._store.busy)
        self._table_idle = 0

    @property
    def _tiles_idle(self) -> int:
        """First cycle in which no tile and no table is left."""
        return max(self._store.idle, self._table_idle)

    def boot(self, rows: int) -> None:
        """Load descriptors, if any."""
        if not rows:
            return
        words = rows * self._config.row_words(Memory.DESCRIPTORS)
        self._words_read = words
        self._loads.take(self.now, 0, words, for_banks=False)
        self.now = self._loads.idle + 1

    def step(self, done: Descriptor | Job) -> None:
        """Execute a descriptor."""
        self.now += DESCRIPTOR_CYCLES - 1
        match done:
            case Load():
                self._load(done)
            case Store(rows=rows, words=words):
                self._words_written += rows * words
                self.now = max(self.now, self._tiles_idle) + self._latency
                self.now += STORE_LATENCY + rows * words - 1
            case Fill(rows=rows):
                self.now = max(self.now, self._tiles_idle)
                self._store.busy.append((self.now + 1, range(rows)))
                self.now += rows + 1
            case Table():
                self._table()
            case Wait(loads=loads, tiles=tiles):
                self._wait(loads, tiles)
            case End():
                self._wait(loads=True, tiles=True)
            case Job():
                self._tiles(done)
        self.now += 1

    def _load(self, load: Load) -> None:
        words = load.rows * load.words
        self._words_read += words
        first = load.offset // self._config.bus_bytes
        for_banks = load.memory == Memory.ACTIVATIONS
        self.now = self._loads.take(self.now, first, words, for_banks=for_banks)

    def _wait(self, loads: bool, tiles: bool) -> None:
        if tiles:
            self.now = max(self.now, self._tiles_idle)
        stalled = max(0, self._loads.idle - self.now) if loads else 0
        self.now += stalled
        self._stalled += stalled
        if loads and tiles:
            cycles = self.now + 1 - self._start
            self.spans.append(Span(cycles, self._stalled, self._words_read, self._words_written))
            self._start = self.now + 1
            self._stalled = self._words_read = self._words_written = 0

    def _take_words(self) -> int:
        """The repeaters of commands and of parameters take their jobs; when both have."""
        commands = max(self.now, self._commands.free)
        parameters = max(self.now, self._parameters.free)
        self._commands.begin(commands)
        self._parameters.begin(parameters)
        return max(commands, parameters)

    def _table(self) -> None:
        self.now = self._take_words()
        active = self._commands.decode(self._schedule.finished)
        start = max(active, self._schedule.returned + 1)
        knots = self._config.engine.table_segments + 1
        self._schedule.finished = self._parameters.read_table(knots, start)
        self._table_idle = self._schedule.finished + 1

    def _tiles(self, job: Job) -> None:
        """Start when all units have taken the job, then tile by tile."""
        fetched = max(self.now, self._walk.free)
        stored = max(self.now, self._store.free)
        self.now = max(self._take_words(), fetched, stored)
        first = self._walk.begin(fetched, job.tiles.sources)
        self._store.begin(stored, job.tiles.maps)
        steps = [_steps(job, tile) for tile in range(job.tiles.tiles)]
        writes = [_writes(job, tile) for tile in range(job.tiles.tiles)]
        for _ in range(job.tiles.repeat):
            for tile in range(job.tiles.tiles):
                self._tile(job, first, steps[tile], writes[tile])

    def _tile(self, job: Job, first: int, steps: list[tuple[int, int]], writes: TileWrites) -> None:
        schedule, cols = self._schedule, job.command.cols
        active = self._commands.decode(schedule.finished)
        for beats, passes in steps:
            self._walk.end_steps((self._fetch.run(first, beats, passes, active),))
        queued = self._parameters.read_tile(cols)
        finish = max(self._fetch.entered, queued, schedule.admit(cols))
        self._fetch.finish_tile(finish)
        self._parameters.finish_tile(finish, cols)
        columns = self._store.write_tile(schedule.first_result(finish, job.command), writes)
        schedule.finish_tile(finish, job.command, columns)


def _steps(job: Job, tile: int) -> list[tuple[int, int]]:
    """Beats and passes of a tile's steps, of which alike ones are joined but for the last ones."""
    found: list[tuple[int, int]] = []
    for number, tap in enumerate(job.taps):
        passes = int(job.fetch_passes[tile, tap["source"]])
        is_early = number < len(job.taps) - LOOK_AHEAD - 1
        if found and is_early and found[-1][1] == passes:
            found[-1] = found[-1][0] + tap["count"], passes
        else:
            found.append((tap["count"], passes))
    return found


def _writes(job: Job, tile: int) -> TileWrites:
    return TileWrites(
        [
            int(job.store_passes[tile, write["map"]]) if write["bytes"] else None
            for write in job.writes
        ],
        [write["pop"] for write in job.writes],
    )
