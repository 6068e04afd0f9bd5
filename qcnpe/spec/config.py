"""The configuration of an engine, at the bottom of the import graph."""

from dataclasses import dataclass, field

from qcnpe.spec.errors import ConfigError
from qcnpe.spec.ncu_kind import OPERAND_BITS as OPERAND_BITS
from qcnpe.spec.ncu_kind import NcuKind, find_kind

MAX_PRECISIONS = 4
"""Largest number of operand widths: a command word has room for the copies of no more."""

MAX_FIFO_DEPTH = 1 << 15
"""Largest depth of the command and operand queues: half the beats of the longest tile."""

REGISTER_QUEUE_DEPTH = 32
"""Deeper command and operand queues are in memories, not in registers."""

TILES_IN_FLIGHT = 8
"""Tiles whose results may be in flight between the array and the result stream.

The results of a tile are in flight for rows + columns + 6 cycles, so that tiles shorter than an
eighth of that wait. On 16 rows a tile of one beat and one column takes 2.9 cycles, a tile of two
beats and two columns 3.0, and a tile of four and four does not wait. Each further tile would take
43 bits of a 16x16 engine.
"""

_ALLOWED_SEGMENTS = (8, 16, 32, 64, 128, 256)

MAX_TABLE_SEGMENTS = max(_ALLOWED_SEGMENTS)
"""Most segments of an activation function's table, on any engine."""


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Parameters of one engine, for every part of the project.

    Parameters
    ----------
    rows, cols : int
        Size of the NCU array, 1..256 each. A row is a sample or a pixel, a column a neuron.
    precisions : tuple of int
        At most four operand widths in bits, descending, the first one 16.
    ncu : str
        Name of the kind of the neural compute unit, one of `ncu_kind.kinds`.
    accumulator_bits : int
        Width of an NCU's accumulator, 24..48.
    table_segments : int
        Segments of the activation function table, a power of two, 8..256.
    fifo_depth : int
        Depth of each operand and command queue in words, a power of two, 2..32768. Queues deeper
        than `REGISTER_QUEUE_DEPTH` are in memories. The depth changes neither results nor, at full
        rate, cycles.
    counters : bool
        Whether the engine has all performance counters, or only the two that count cycles. They
        change no result: configurations that differ in nothing else are equal.

    Raises
    ------
    ConfigError
        If a value is out of range; the message names the parameter and what is allowed.
    """

    rows: int = 16
    cols: int = 16
    precisions: tuple[int, ...] = (16, 8, 4, 2)
    ncu: str = "fused"
    accumulator_bits: int = 40
    table_segments: int = 32
    fifo_depth: int = 4
    counters: bool = field(default=True, compare=False)

    def __post_init__(self) -> None:
        _check_range("rows", self.rows, 1, 256)
        _check_range("cols", self.cols, 1, 256)
        _check_range("accumulator_bits", self.accumulator_bits, 24, 48)
        self._check_precisions()
        if self.table_segments not in _ALLOWED_SEGMENTS:
            allowed = ", ".join(map(str, _ALLOWED_SEGMENTS))
            raise ConfigError(f"table_segments must be one of {allowed}, not {self.table_segments}")
        _check_range("fifo_depth", self.fifo_depth, 2, MAX_FIFO_DEPTH)
        if self.fifo_depth & (self.fifo_depth - 1):
            raise ConfigError(f"fifo_depth must be a power of two, not {self.fifo_depth}")

    def _check_precisions(self) -> None:
        allowed = self.kind.widths
        shown = ",".join(map(str, self.precisions))
        if not self.precisions or self.precisions[0] != OPERAND_BITS:
            raise ConfigError(f"precisions must begin with {OPERAND_BITS}, not {shown or 'empty'}")
        if len(self.precisions) > MAX_PRECISIONS:
            raise ConfigError(f"precisions must be at most {MAX_PRECISIONS} widths, not {shown}")
        if list(self.precisions) != sorted(set(self.precisions), reverse=True):
            raise ConfigError(f"precisions must be descending without repeats, not {shown}")
        if not set(self.precisions) <= set(allowed):
            widths = ",".join(map(str, allowed))
            raise ConfigError(f"precisions of ncu {self.ncu} must be out of {widths}, not {shown}")

    @property
    def kind(self) -> NcuKind:
        """The kind of its neural compute units (NCUs)."""
        return find_kind(self.ncu)

    @property
    def title(self) -> str:
        """A short description, for tables and messages."""
        widths = "/".join(map(str, self.precisions))
        return f"{self.rows} x {self.cols} NCUs ({self.ncu}, {widths} bits)"

    @property
    def narrow_precisions(self) -> tuple[int, ...]:
        """The widths below 16 bits, descending; the AFU can emit a copy of a result at each."""
        return self.precisions[1:]

    @property
    def is_staged(self) -> bool:
        """Whether sums and columns of results pass additional registers, for an FPGA's slow logic.

        Only engines with narrow precisions have them, since these cause the long paths.
        """
        return self.kind.is_for_fpga and len(self.precisions) > 1

    @property
    def array_stages(self) -> int:
        """Additional registers between multiplier and AFU, on staged engines.

        One follows the multipliers, which are far from an FPGA's other cells, and one the ORs of
        the row, which extend across the chip.
        """
        return 2 if self.is_staged else 0

    @property
    def result_lane_bits(self) -> int:
        """Bits of one row's lane in a result beat: 16 and every narrow copy, in whole bytes."""
        return -(-sum(self.precisions) // 8) * 8

    @property
    def result_depth(self) -> int:
        """Depth of each row's result queue.

        Places for a tile's columns are reserved when its last beat enters; row 0 holds the results
        until the last row has them, too. This is the least depth with which no tile waits for room
        at full rate; a staged engine has four more results in flight.
        """
        return self.rows + self.cols + (8 if self.is_staged else 4)

    @property
    def parameter_depth(self) -> int:
        """Depth of the parameter queue: words for two drains, and those in flight between them."""
        return 2 * self.cols + 8

    def window_rows(self, window: int) -> int:
        """Rows of a full tile whose results are maxima over `window` rows: whole windows only."""
        return self.rows // window * window

    def pairs(self, precision: int) -> int:
        """Operand pairs that a lane carries in one cycle at `precision`."""
        return self.kind.pairs(precision)

    def beats(self, fan_in: int, precision: int) -> int:
        """Cycles that a tile of `fan_in` operand pairs takes at `precision`."""
        return -(-fan_in // self.pairs(precision))


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be {low}..{high}, not {value}")
