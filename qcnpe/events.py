"""What happens in an engine while it follows its commands: counts only, never costs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from qcnpe.spec.activation import Function
from qcnpe.spec.commands import Command, TableLoad, TileCommand
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.cycles import count_cycles

OPERAND_UNITS = ("queue", "sequencer", "skew", "row")
"""Units that operands pass on their way to the NCUs."""

SUM_UNITS = ("row", "afu")
"""Units that sums pass on their way from the NCUs."""


@dataclass(frozen=True, kw_only=True)
class OperandActivity:
    """What the operands of one precision make NCUs do while they work; see `qcnpe.activity`.

    Attributes
    ----------
    lanes : cycles in which an NCU's activation lane is not all zeros
    zero_flips : cycles in which it is and the one before was not, or the other way round
    product_toggles : bit products, of a bit of an activation and one of its weight, that differ
        from those of the cycle before
    activation_toggles, weight_toggles : bits of the operands that enter the array that differ from
        those of the beat before
    sum_toggles : bits of the sums, over the whole accumulator, that differ from those of the sum
        before in the same row
    """

    lanes: int = 0
    zero_flips: int = 0
    product_toggles: int = 0
    activation_toggles: int = 0
    weight_toggles: int = 0
    sum_toggles: int = 0

    def __add__(self, other: "OperandActivity") -> "OperandActivity":
        mine, its = asdict(self), asdict(other)
        return OperandActivity(**{name: count + its[name] for name, count in mine.items()})

    def scaled(self, factor: float) -> "OperandActivity":
        """All counts times a factor, rounded."""
        return OperandActivity(
            **{name: round(factor * count) for name, count in asdict(self).items()}
        )


@dataclass(frozen=True, kw_only=True)
class EventCounts:
    """How often each thing happens that costs energy or time.

    Attributes
    ----------
    cycles : from the first command to the last result, all streams at full rate
    row_cycles, lane_cycles : as many for each row; for each row and each column
    commands, tiles, columns : commands, tiles among them, and columns of all tiles
    beats, lane_beats : beats of all tiles; each for every row and every column, used or not
    tile_rows : rows of all tiles
    moves : cycles in which the skew of the longer side moves, at most: it moves on after a tile
    edge_beats : cycles in which an NCU next to the last row or column in use takes an operand that
        it does not need
    lane_words : by precision, 16-bit words of operands that enter the array
    knots : words of activation tables
    ncu_beats : by precision, cycles in which one NCU works (16/p MACs each on `fused`)
    macs : by precision, multiply-accumulates, the zeros that fill a last beat included
    ncu_tiles : by precision, sums that NCUs finish
    ncu_idle_cycles : cycles of one NCU in which it has nothing to do
    afu_ops : by function (identity, relu, table), accumulators reduced to 16 bits, one for each
        pooling window
    maxima : sums that are only compared, with that of the next row of their pooling window
    result_fields : by width, results that are wanted: 16-bit results and narrow copies
    activation_words, weight_words, parameter_words : 16-bit words of each stream
    result_words : 16-bit words that the wanted results fill without gaps
    """

    cycles: int = 0
    row_cycles: int = 0
    lane_cycles: int = 0
    commands: int = 0
    tiles: int = 0
    columns: int = 0
    beats: int = 0
    lane_beats: int = 0
    tile_rows: int = 0
    moves: int = 0
    edge_beats: int = 0
    lane_words: Mapping[int, int] = field(default_factory=dict)
    knots: int = 0
    ncu_beats: Mapping[int, int] = field(default_factory=dict)
    macs: Mapping[int, int] = field(default_factory=dict)
    ncu_tiles: Mapping[int, int] = field(default_factory=dict)
    ncu_idle_cycles: int = 0
    afu_ops: Mapping[str, int] = field(default_factory=dict)
    maxima: int = 0
    result_fields: Mapping[int, int] = field(default_factory=dict)
    activation_words: int = 0
    weight_words: int = 0
    parameter_words: int = 0
    result_words: int = 0

    def __add__(self, other: "EventCounts") -> "EventCounts":
        def added(name: str) -> Any:
            mine, its = getattr(self, name), getattr(other, name)
            return mine + its if isinstance(mine, int) else dict(Counter(mine) + Counter(its))

        return EventCounts(**{name: added(name) for name in self.__dataclass_fields__})

    @property
    def operand_words(self) -> int:
        """16-bit words that enter the array, each through its lane's skew registers."""
        return self.activation_words + self.weight_words

    @property
    def words(self) -> int:
        """16-bit words of all streams, on their way from and to a memory."""
        return self.operand_words + self.parameter_words + self.result_words

    def events(self, activity: Mapping[int, OperandActivity] | None = None) -> dict[str, int]:
        """Counts by the names under which energy prices list them, each by its engine's unit.

        `*_cycle` are cycles of a unit, busy or not: its clock and its leakage; those of NCUs are
        in `ncu_beat_*` while they work.

        Parameters
        ----------
        activity : by precision, where the operands are known: then each thing that they make an NCU
            do is counted, else its multiply-accumulates, each of which has a mean price
        """
        flat = {f"afu_{name}": count for name, count in self.afu_ops.items()}
        flat |= {f"result_{width}b": count for width, count in self.result_fields.items()}
        flat |= {
            "afu_maximum": self.maxima,
            "ncu_idle_cycle": self.ncu_idle_cycles,
            "ncu_edge_beat": self.edge_beats,
            "ncu_result": sum(self.ncu_tiles.values()),
            "queue_cycle": self.lane_cycles,
            "queue_lane": self.lane_beats,
            "queue_parameter": self.columns + self.knots,
            "queue_command": self.commands,
            "sequencer_cycle": self.cycles,
            "sequencer_beat": self.beats,
            "sequencer_tile": self.tiles,
            "sequencer_column": self.columns,
            "skew_cycle": self.lane_cycles,
            "skew_lane": self.lane_beats,
            "row_cycle": self.row_cycles,
            "row_tile": self.tile_rows,
            "afu_cycle": self.row_cycles,
            "afu_tile": self.tile_rows,
            "afu_knot": self.knots,
            "result_cycle": self.row_cycles,
            "result_column": self.columns,
            "result_tile": self.tiles,
            "result_made": sum(self.afu_ops.values()),
            "result_table": self.afu_ops.get("table", 0),
        }
        return flat | (self._mean_operands() if activity is None else self._operands(activity))

    def _mean_operands(self) -> dict[str, int]:
        """Events of operands that are not known."""
        flat = {}
        for width, count in self.macs.items():
            (name,) = ncu_events(width, with_operands=False)
            flat[name] = count
        for width, count in self.lane_words.items():
            flat |= {f"{unit}_word_{width}b": count for unit in OPERAND_UNITS}
        for width, count in self.ncu_tiles.items():
            flat |= {f"{unit}_sum_{width}b": count for unit in SUM_UNITS}
        return flat

    def _operands(self, activity: Mapping[int, OperandActivity]) -> dict[str, int]:
        """Events of operands that are known."""
        flat: dict[str, int] = {}
        for width, beats in self.ncu_beats.items():
            seen = activity[width]
            counts = (beats, seen.lanes, seen.zero_flips, seen.product_toggles)
            names = ncu_events(width, with_operands=True)
            flat |= dict(zip(names, (*counts, self.ncu_tiles[width]), strict=True))
        for kind in ("activation", "weight"):
            toggles = sum(getattr(activity[width], f"{kind}_toggles") for width in self.ncu_beats)
            flat |= {f"{unit}_{kind}_toggle": toggles for unit in OPERAND_UNITS}
            # A move without a beat reads a word again that the skew still holds.
            flat[f"skew_{kind}_toggle"] = toggles * self.moves // max(self.beats, 1)
        toggles = sum(activity[width].sum_toggles for width in self.ncu_beats)
        return flat | {f"{unit}_sum_toggle": toggles for unit in SUM_UNITS}


def ncu_events(width: int, *, with_operands: bool) -> tuple[str, ...]:
    """Names of the events that `EventCounts.events` counts of an NCU at work at a width.

    Parameters
    ----------
    width : operand width in bits
    with_operands : whether what operands do is counted apart
    """
    kinds = ("beat", "lane", "zero_flip", "product_toggle", "tile") if with_operands else ("mac",)
    return tuple(f"ncu_{kind}_{width}b" for kind in kinds)


def count_events(
    config: EngineConfig, commands: Sequence[Command], *, cycles: int | None = None
) -> EventCounts:
    """Events of a run of commands that begins and ends with an idle engine.

    Counts by precision or function stand in a fixed order, whatever that of the commands, so that
    the energies of equal counts are sums in the same order.

    Parameters
    ----------
    config : the engine
    commands : good commands
    cycles : how long the run takes; by default as if all streams ran at full rate
    """
    totals: Counter[str] = Counter()
    beats: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    activated: Counter[Function] = Counter()
    fields: Counter[int] = Counter()
    words: Counter[int] = Counter()
    for command, repeat in Counter(commands).items():
        if isinstance(command, TableLoad):
            totals["parameter_words"] += repeat * (config.table_segments + 1)
            totals["knots"] += repeat * (config.table_segments + 1)
            continue
        area = repeat * command.rows * command.cols
        results = area // command.window
        beats[command.precision] += area * command.beats
        sums[command.precision] += area
        words[command.precision] += repeat * command.beats * (command.rows + command.cols)
        activated[command.function] += results
        for width in command.copies if command.copies_only else (OPERAND_BITS, *command.copies):
            fields[width] += results
        for name, count in _tile_totals(config, command).items():
            totals[name] += repeat * count
    if cycles is None:
        cycles = count_cycles(config, commands)
    longest = max(config.rows, config.cols) - 1
    widths = [width for width in config.precisions if width in beats]
    result_bits = sum(width * count for width, count in fields.items())
    return EventCounts(
        cycles=cycles,
        row_cycles=cycles * config.rows,
        lane_cycles=cycles * (config.rows + config.cols),
        commands=len(commands),
        moves=min(cycles, totals["beats"] + totals["tiles"] * longest),
        ncu_beats={width: beats[width] for width in widths},
        macs={width: beats[width] * config.pairs(width) for width in widths},
        ncu_tiles={width: sums[width] for width in widths},
        ncu_idle_cycles=cycles * config.rows * config.cols - beats.total(),
        afu_ops={code.name.lower(): activated[code] for code in Function if code in activated},
        lane_words={width: words[width] for width in widths},
        result_fields={width: fields[width] for width in config.precisions if width in fields},
        result_words=-(-result_bits // OPERAND_BITS),
        **totals,
    )


def _tile_totals(config: EngineConfig, tile: TileCommand) -> dict[str, int]:
    """Events of a tile that are counted together for all precisions and functions."""
    rows, cols, beats = tile.rows, tile.cols, tile.beats
    edge = rows * (cols < config.cols) + cols * (rows < config.rows)
    return {
        "tiles": 1,
        "tile_rows": rows,
        "columns": cols,
        "beats": beats,
        "lane_beats": beats * (config.rows + config.cols),
        "edge_beats": beats * edge,
        "maxima": rows * cols - rows * cols // tile.window,
        "activation_words": beats * rows,
        "weight_words": beats * cols,
        "parameter_words": 2 * cols,
    }
