"""Cycle numbers of the units of the memory side: what each does when, given what the others do.

Each class follows one component of `qcnpe.rtl.memory`, or of its way into the engine, job by job.
A cycle in which a unit takes a job is counted from the start of the run. Every cycle is exact.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from qcnpe.spec.cycles import QUEUE_LATENCY, array_latency

DESCRIPTOR_CYCLES = 3
"""Cycles in which the processor reads, checks and begins a descriptor."""

WALK_LATENCY = 4
"""Cycles from a walker's job to its first step, besides one for each walk."""

LOOK_AHEAD = 2
"""Steps that follow the one in which a walker takes its next job."""

FETCH_LATENCY = 3
"""Cycles from a step to its first beat, if that has one pass."""

PARAMETER_LATENCY = 2
"""Cycles from a run of parameter words to its first word."""

WRITE_LATENCY = 1
"""Cycles from a write's pass until the banks are written."""

WAITING_WALKS = TILES_IN_FLIGHT - 1
"""Jobs that wait for the write-back of the tiles before: results come long after operands."""

WAITING_LOADS = 2
"""Loads that may wait to be requested."""

REQUESTED_LOADS = 8
"""Loads whose words may be awaited: short ones follow one another in spite of the bus's latency."""

READ_QUEUE = 2
"""Bus words that were read and wait for their memory."""

BURST_BEATS = 256
"""Beats of the longest burst (IHI 0022, A3.4.1); one ends where the number of a bus word is a
multiple of this."""

BURST_LATENCY = 2
"""Cycles from a transfer to its first burst."""

_NEVER = -1


class CommandTimes:
    """Command words, from their repeater through the engine's queue to its decoder.

    Parameters
    ----------
    depth : of the queue

    Attributes
    ----------
    free : first cycle in which the repeater takes a job
    """

    def __init__(self, depth: int) -> None:
        self.free = 0
        self._queued = _NEVER
        self._decoded: deque[int] = deque([_NEVER] * depth, maxlen=depth)

    def begin(self, cycle: int) -> None:
        """The repeater takes a job."""
        self._queued = max(self._queued, cycle)

    def decode(self, finished: int) -> int:
        """First cycle in which the next command is in progress, if the present one ends then."""
        self._queued = max(self._queued, self._decoded[0]) + 1
        self.free = self._queued
        self._decoded.append(max(self._queued + QUEUE_LATENCY, finished))
        return self._decoded[-1] + 1


class ParameterTimes:
    """Parameter words, from the repeater of their runs to the engine's queue.

    Parameters
    ----------
    config : the engine

    Attributes
    ----------
    free : first cycle in which the repeater takes a job
    """

    def __init__(self, config: EngineConfig) -> None:
        self.free = 0
        self._latency = array_latency(config)
        self._repeated = self._last_read = self._queued = _NEVER
        self._left = [_NEVER] * config.parameter_depth
        self._words = 0

    def begin(self, cycle: int) -> None:
        """The repeater takes a job."""
        self._repeated = cycle + 1

    def read_run(self) -> int:
        """The reader takes the next run; returns the cycle in which its first word is queued."""
        self.free = taken = max(self._repeated, self._last_read)
        self._last_read = max(taken + 1, self._queued)
        return self._queue(taken + PARAMETER_LATENCY)

    def _queue(self, earliest: int) -> int:
        """Queue a word when there is room."""
        self._queued = max(earliest, self._queued + 1, self._left[self._words] + 1)
        self._words += 1
        return self._queued

    def _further(self) -> int:
        """Queue a further word of a run."""
        self._last_read = self._queued
        return self._queue(0)

    def read_tile(self, cols: int) -> int:
        """Read the words of a tile; returns the first cycle in which all of them are there."""
        first = self.read_run()
        last = self._words + cols - 2
        if cols > 1 and self._left[last] < first + cols - 1:
            self._words = last + 1
            self._queued = first + cols - 1
            self._last_read = self._queued - 1
        else:
            for _ in range(cols - 1):
                self._further()
        return self._queued + QUEUE_LATENCY

    def finish_tile(self, finish: int, cols: int) -> None:
        """The words leave with the sums of a tile whose last beat enters in cycle `finish`."""
        self._left.extend(range(finish + self._latency, finish + self._latency + cols))

    def read_table(self, knots: int, start: int) -> int:
        """Read knots; they enter from cycle `start` on, the last one in the cycle returned."""
        queued, knot = self.read_run(), start - 1
        for number in range(knots):
            if number:
                queued = self._further()
            knot = max(knot + 1, queued + QUEUE_LATENCY)
            self._left.append(knot)
        return knot


class WalkTimes:
    """Steps of a walker.

    Attributes
    ----------
    free : first cycle in which the walker takes a job
    ended : cycle in which the last step so far leaves
    """

    def __init__(self) -> None:
        self.free = 0
        self._ends: deque[int] = deque([_NEVER] * (LOOK_AHEAD + 1), maxlen=LOOK_AHEAD + 1)

    @property
    def ended(self) -> int:
        """Cycle in which the last step so far leaves."""
        return self._ends[-1]

    def begin(self, cycle: int, walks: int) -> int:
        """Take a job; returns the cycle of its first step."""
        looked_up = max(cycle + walks + WALK_LATENCY - 1, self._ends[1] + 1)
        first = max(looked_up, self.ended) + 1
        self._ends.extend((looked_up - 1, first - 1))
        return first

    def end_steps(self, cycles: Iterable[int]) -> None:
        """Steps leave in these cycles, each of them the first cycle of the next step."""
        self._ends.extend(cycles)
        self.free = self._ends[0]


class FetchTimes:
    """Beats, from the first step of a tile to the array.

    Parameters
    ----------
    depth : of the engine's queues of operands

    Attributes
    ----------
    entered : cycle in which the last beat so far enters the array
    """

    def __init__(self, depth: int) -> None:
        self._issued = _NEVER
        self._left: deque[int] = deque([_NEVER] * depth, maxlen=depth)
        self._halts: deque[tuple[int, int]] = deque(maxlen=FETCH_LATENCY + 1)

    @property
    def entered(self) -> int:
        """Cycle in which the last beat so far enters the array."""
        return self._left[-1]

    def finish_tile(self, cycle: int) -> None:
        """The last beat is held until this cycle."""
        self._left[-1] = cycle

    def _moves(self, cycle: int) -> int:
        """First cycle from this one on in which no beat waits for room in the engine's queues."""
        for begins, ends in self._halts:
            if begins <= cycle < ends:
                cycle = ends
        return cycle

    def run(self, first: int, beats: int, passes: int, active: int) -> int:
        """Read and enter beats; a steady state is skipped.

        Parameters
        ----------
        first : cycle of the first step
        beats : how many
        passes : of each beat
        active : first cycle in which the command is in progress

        Returns
        -------
        Cycle in which the last beat's last pass begins.
        """
        steady, window = 0, len(self._left) + self._halts.maxlen  # type: ignore[operator]
        for beat in range(beats):
            issued = self._moves(max(self._issued + 1, first))
            for _ in range(passes - 1):
                issued = self._moves(issued + 1)
            offered = issued
            for _ in range(FETCH_LATENCY - 1):
                offered = self._moves(offered + 1)
            offered += 1
            taken = max(offered, self._left[0] + 1)
            if taken > offered:
                self._halts.append((offered, taken))
            entered = max(self.entered + 1, taken + QUEUE_LATENCY, active)
            is_even = issued - self._issued == passes == entered - self.entered
            steady = steady + 1 if is_even and taken == offered else 0
            self._issued = issued
            self._left.append(entered)
            if steady > window:
                skipped = (beats - beat - 1) * passes
                self._issued += skipped
                self._left = deque((c + skipped for c in self._left), maxlen=self._left.maxlen)
                break
        return self._issued


class StoreTimes:
    """Writes of results, from the queue of their jobs to the banks.

    Attributes
    ----------
    busy : writes to the banks: the cycle from which the numbers of their cycles are counted, and
        these numbers
    idle : first cycle in which nothing is to be written
    """

    def __init__(self) -> None:
        self.busy: deque[tuple[int, Sequence[int]]] = deque()
        self.idle = 0
        self._walker = WalkTimes()
        self._taken: deque[int] = deque([_NEVER] * WAITING_WALKS, maxlen=WAITING_WALKS)

    @property
    def free(self) -> int:
        """First cycle in which the queue takes a job."""
        return self._taken[0] + 1

    def begin(self, cycle: int, maps: int) -> None:
        """The queue takes a job."""
        taken = max(cycle + QUEUE_LATENCY, self._walker.free)
        self._taken.append(taken)
        self._walker.begin(taken, maps)

    def write_tile(self, ready: int, writes: "TileWrites") -> list[int]:
        """Write the results of a tile.

        Results become ready one a cycle, and each takes a cycle or more: they follow one another.

        Parameters
        ----------
        ready : cycle in which the first column may leave the engine
        writes : what is done with them

        Returns
        -------
        Cycles in which the columns leave.
        """
        start = max(ready, self._walker.ended + 1)
        self._walker.end_steps(start + end for end in writes.ends[-LOOK_AHEAD - 1 :])
        columns = [start + end for end in writes.columns]
        self.idle = columns[-1] + 1
        if writes.stores:
            self.busy.append((start + WRITE_LATENCY, writes.stores))
            self.idle = max(self.idle, start + writes.stores[-1] + WRITE_LATENCY + 1)
        return columns


class TileWrites:
    """The writes of a tile, in cycles from the first one on.

    Parameters
    ----------
    passes : cycles of each write that stores; None: it only gathers, in one cycle
    pops : whether a column leaves with it

    Attributes
    ----------
    ends : last cycle of each write
    columns : the same of those with which a column leaves
    stores : every cycle in which a word is stored
    """

    def __init__(self, passes: Sequence[int | None], pops: Sequence[int]) -> None:
        self.ends = [end - 1 for end in accumulate(each or 1 for each in passes)]
        self.columns = [end for end, pop in zip(self.ends, pops, strict=True) if pop]
        self.stores = [
            cycle
            for end, each in zip(self.ends, passes, strict=True)
            if each
            for cycle in range(end - each + 1, end + 1)
        ]


class LoadTimes:
    """Loads, from the processor through the bus to their memories.

    Loads of activations wait while results are written. So a load is followed only when its end is
    asked for: all writes before are known then.

    Parameters
    ----------
    latency : of the bus
    busy : writes to the banks, see `StoreTimes`; those that are not needed any more are removed
    """

    def __init__(self, latency: int, busy: deque[tuple[int, Sequence[int]]]) -> None:
        self._latency, self._busy = latency, busy
        self._loads: list[_Load] = []
        self._requested: list[int] = []
        self._ended: list[int] = []
        self._read = _NEVER
        self._out = deque([_NEVER] * READ_QUEUE, maxlen=READ_QUEUE)

    def take(self, cycle: int, first: int, words: int, *, for_banks: bool) -> int:
        """Take a load when its queue has room; returns that cycle.

        Parameters
        ----------
        cycle : from which on it is offered
        first : number of its first bus word
        words : how many
        for_banks : it is for the activation banks
        """
        if len(self._loads) >= WAITING_LOADS:
            cycle = max(cycle, self._request_of(len(self._loads) - WAITING_LOADS) + 1)
        self._loads.append(_Load(cycle, first, words, for_banks))
        return cycle

    @property
    def idle(self) -> int:
        """First cycle in which no load is left."""
        return self._end_of(len(self._loads) - 1) + 1 if self._loads else 0

    def _request_of(self, number: int) -> int:
        """Cycle in which a load's transfer begins."""
        while len(self._requested) <= number:
            own = len(self._requested)
            cycle = self._loads[own].taken + QUEUE_LATENCY
            if own:
                before = self._requested[-1] + BURST_LATENCY + self._loads[own - 1].bursts
                cycle = max(cycle, before)
            if own >= REQUESTED_LOADS:
                cycle = max(cycle, self._end_of(own - REQUESTED_LOADS) + 1)
            self._requested.append(cycle)
        return self._requested[number]

    def _end_of(self, number: int) -> int:
        """Cycle in which the last word of a load is written."""
        while len(self._ended) <= number:
            own = len(self._ended)
            arrives = self._request_of(own) + BURST_LATENCY + self._latency + 1
            self._follow(arrives, self._loads[own])
            self._ended.append(self._out[-1])
        return self._ended[number]

    def _follow(self, arrives: int, load: "_Load") -> None:
        """Words come one a cycle, and wait in a queue."""
        busy = self._busy_from(arrives) if load.for_banks else frozenset[int]()
        for number in range(load.words):
            self._read = max(self._read + 1, arrives, self._out[0] + 1)
            out = max(self._out[-1], self._read) + 1
            while out in busy:
                out += 1
            self._out.append(out)
            if not busy and number >= READ_QUEUE:
                left = load.words - number - 1
                self._read += left
                self._out = deque((cycle + left for cycle in self._out), maxlen=READ_QUEUE)
                return

    def _busy_from(self, cycle: int) -> frozenset[int]:
        """Cycles from this one on in which the banks are written."""
        while self._busy and self._busy[0][0] + self._busy[0][1][-1] < cycle:
            self._busy.popleft()
        return frozenset(start + number for start, numbers in self._busy for number in numbers)


@dataclass(frozen=True)
class _Load:
    taken: int
    first: int
    words: int
    for_banks: bool

    @property
    def bursts(self) -> int:
        """Bursts of its transfer."""
        return (self.first + self.words - 1) // BURST_BEATS - self.first // BURST_BEATS + 1
