"""How many cycles the engine takes for its commands when every stream runs at full rate.

The recurrence follows the engine's rules tile by tile, in constant time for each, and equals the
RTL's cycle counter. Cycle 0 is the first in which a command waits at the end of its queue.
"""

from collections import deque
from collections.abc import Sequence

from qcnpe.spec.activation import Function
from qcnpe.spec.commands import Command, TableLoad, TileCommand
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig

ARRAY_LATENCY = 2
"""Cycles from a last beat to the completed sum of NCU (0, 0), without `array_stages`."""

AFU_LATENCY = 2
"""Cycles from a completed sum to its result, unless it passes the table."""

TABLE_LATENCY = 5
"""Cycles from a completed sum to its result through the table."""

DRAIN_AFTER_TABLE = TABLE_LATENCY - AFU_LATENCY
"""Cycles without a sum after the last one of a tile with a table: results must not overtake."""

QUEUE_LATENCY = 1
"""Cycles that a word stays in an empty queue."""

RESULT_STAGES = 2
"""Registers behind the AFUs and behind the results' queues, one each, on staged engines."""


def array_latency(config: EngineConfig) -> int:
    """Cycles from a last beat to the completed sum of NCU (0, 0)."""
    return ARRAY_LATENCY + config.array_stages


def count_cycles(config: EngineConfig, commands: Sequence[Command]) -> int:
    """Cycles from the first command to the last result, from an idle engine.

    Parameters
    ----------
    config : the engine
    commands : in the order in which they are sent

    Returns
    -------
    Value of the engine's busy counter after the run; 0 without commands.
    """
    if not commands:
        return 0
    schedule = Schedule(config)
    for command in commands:
        if isinstance(command, TableLoad):
            schedule.load_table()
        else:
            schedule.run_tile(command)
    return max(schedule.finished, schedule.returned) + 1


class Schedule:
    """Cycle numbers of what happened last.

    Parameters
    ----------
    config : the engine

    Attributes
    ----------
    finished : a tile's last beat entered, or a table was loaded
    returned : a column of results left the engine
    """

    def __init__(self, config: EngineConfig) -> None:
        self.finished = 0
        self.returned = -1
        self._stages = RESULT_STAGES if config.is_staged else 0
        self._way_out = array_latency(config) + AFU_LATENCY + QUEUE_LATENCY + self._stages
        self._result_depth = config.result_depth
        self._knots = config.table_segments + 1
        self._drained_row = 0
        self._columns = 0
        self._words = 0
        self._unreturned: deque[tuple[int, Sequence[int]]] = deque()
        self._in_flight: deque[int] = deque()

    def run_tile(self, tile: TileCommand) -> None:
        """Beats enter, one a cycle; the last one waits for admission.

        Parameter words enter their queue one a cycle from cycle -1 on. The queue holds more than
        two drains, so that it has never kept out a word that is asked for.
        """
        entered, queued = self.finished + tile.beats, self._words + tile.cols - 1
        finish = max(entered, queued, self.admit(tile.cols))
        self._words += tile.cols
        first = max(self.first_result(finish, tile), self.returned + 1)
        self.finish_tile(finish, tile, range(first, first + tile.cols))

    def admit(self, cols: int) -> int:
        """First cycle in which a tile's last beat may enter: the three accounts of `rtl.admission`.

        It is to be asked for once for each tile.
        """
        finish = max(self._drained_row, self._room_for(cols))
        if len(self._in_flight) == TILES_IN_FLIGHT:
            finish = max(finish, self._in_flight.popleft() + 1)
        return finish

    def first_result(self, finish: int, tile: TileCommand) -> int:
        """Cycle in which the first column may leave of a tile whose last beat enters in `finish`.

        Each further column may leave one cycle later.
        """
        return finish + tile.rows - 1 + self._way_out + _later(tile)

    def finish_tile(self, finish: int, tile: TileCommand, columns: Sequence[int]) -> None:
        """A tile's last beat enters in cycle `finish`; its columns leave in the cycles `columns`.

        On a staged engine a column leaves its queue when the register behind it is empty.
        """
        cols = tile.cols
        self.finished, self._drained_row = finish, finish + cols + _later(tile)
        leaves_queue = columns[-1]
        if self._stages:
            before = columns[-2] if cols > 1 else self.returned
            leaves_queue = max(self.first_result(finish, tile) + cols - 2, before)
        self._in_flight.append(leaves_queue)
        self._unreturned.append((self._columns, columns))
        self._columns += cols
        self.returned = columns[-1]

    def load_table(self) -> None:
        """Knots enter one a cycle when all results have left."""
        start = max(self.finished + 1, self.returned + 1)
        self._words += self._knots
        self.finished = start + self._knots - 1

    def _room_for(self, cols: int) -> int:
        """First cycle in which every row's queue has room for `cols` results."""
        index = self._columns + cols - self._result_depth - 1
        if index < 0:
            return 0
        while len(self._unreturned) > 1 and self._unreturned[1][0] <= index:
            self._unreturned.popleft()
        start, columns = self._unreturned[0]
        return columns[index - start] + 1


def _later(tile: TileCommand) -> int:
    """Cycles that a tile's results come later, and its sums are kept longer, than others."""
    return DRAIN_AFTER_TABLE if tile.function is Function.TABLE else 0
