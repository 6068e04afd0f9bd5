"""What happens in an engine while it follows its commands: counts only, never costs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import Function
from qcnpe.spec.commands import Opcode, command_fields, decode
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.cycles import count_cycles


@dataclass(frozen=True, kw_only=True)
class EventCounts:
    """How often each thing happens that costs energy or time.

    Attributes
    ----------
    cycles : from the first command to the last result, all streams at full rate
    ncu_beats : by precision, cycles in which one NCU works (16/p MACs each on `fused`)
    macs : by precision, multiply-accumulates, the zeros that fill a last beat included
    ncu_idle_cycles : cycles of one NCU in which it has nothing to do
    afu_ops : by function (identity, relu, table), accumulators brought to 16 bits
    requantize_ops : narrow copies made
    activation_words, weight_words, parameter_words, result_words : 16-bit words that pass queues
    """

    cycles: int = 0
    ncu_beats: Mapping[int, int] = field(default_factory=dict)
    macs: Mapping[int, int] = field(default_factory=dict)
    ncu_idle_cycles: int = 0
    afu_ops: Mapping[str, int] = field(default_factory=dict)
    requantize_ops: int = 0
    activation_words: int = 0
    weight_words: int = 0
    parameter_words: int = 0
    result_words: int = 0

    def __add__(self, other: "EventCounts") -> "EventCounts":
        def added(name: str) -> Any:
            mine, its = getattr(self, name), getattr(other, name)
            return mine + its if isinstance(mine, int) else dict(Counter(mine) + Counter(its))

        return EventCounts(**{name: added(name) for name in self.__dataclass_fields__})

    def events(self) -> dict[str, int]:
        """Counts by the names under which an energy table prices them."""
        words = self.activation_words + self.weight_words + self.parameter_words
        flat = {f"ncu_mac_{width}b": count for width, count in self.macs.items()}
        flat |= {f"afu_{name}": count for name, count in self.afu_ops.items()}
        flat |= {
            "ncu_idle_cycle": self.ncu_idle_cycles,
            "requantize": self.requantize_ops,
            "fifo_word": words + self.result_words,
        }
        return flat


def count_events(config: EngineConfig, commands: NDArray[np.uint64]) -> EventCounts:
    """Events of a run of good commands that begins and ends with an idle engine."""
    totals: Counter[str] = Counter()
    ncu_beats: Counter[int] = Counter()
    afu: Counter[str] = Counter()
    layout = command_fields(config)
    words, repeats = np.unique(commands, return_counts=True)
    for word, repeat in zip(words.tolist(), repeats.tolist(), strict=True):
        command = decode(layout, word)
        if command["opcode"] == Opcode.TABLE:
            totals["parameter_words"] += repeat * (config.table_segments + 1)
            continue
        rows, cols, beats = command["rows"], command["cols"], command["beats"]
        results = rows * cols >> command["pool"]
        wanted = sum(command[f"copy_{width}"] for width in config.narrow_precisions)
        ncu_beats[command["precision"]] += repeat * rows * cols * beats
        afu[Function(command["function"]).name.lower()] += repeat * rows * cols
        totals["requantize_ops"] += repeat * results * wanted
        totals["activation_words"] += repeat * rows * beats
        totals["weight_words"] += repeat * cols * beats
        totals["parameter_words"] += repeat * cols * 2
        totals["result_words"] += repeat * results * -(-config.result_lane_bits // OPERAND_BITS)
    cycles = count_cycles(config, commands)
    idle = cycles * config.rows * config.cols - sum(ncu_beats.values())
    macs = {width: beats * config.pairs(width) for width, beats in ncu_beats.items()}
    return EventCounts(
        cycles=cycles,
        ncu_beats=dict(ncu_beats),
        macs=macs,
        ncu_idle_cycles=idle,
        afu_ops=dict(afu),
        **totals,
    )
