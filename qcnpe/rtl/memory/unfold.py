"""A beat of weights from a row that holds a kernel once."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.layouts import operand_beat
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.word_select import WordSelect
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.memory.tables import FOLD_LANES


def spread_widths(config: EngineConfig) -> tuple[int, ...]:
    """Precisions of which a word holds several operands."""
    return tuple(width for width in config.precisions if config.pairs(width) > 1)


def unfold_layout(config: EngineConfig) -> data.StructLayout:
    """What is done with a row; `spread` has a bit for each of the `spread_widths`, one or none."""
    return data.StructLayout(
        {"places": FOLD_LANES, "turn": 4, "spread": len(spread_widths(config))}
    )


class Unfold(Leaf):
    """Turns the lanes of a row of weights, spreads them over columns and clears what is not used.

    See "Weights" in `spec.memory.tables`.

    Latency: none.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    row : in, `operand_beat(config.cols)`, a row of weights
    how : in, `unfold_layout(config)`, the row itself if its `places` are 0
    beat : out, `operand_beat(config.cols)`, weights of a beat
    """

    clocked = False

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "row": In(operand_beat(config.cols)),
                "how": In(unfold_layout(config)),
                "beat": Out(operand_beat(config.cols)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        config = self.config
        widths = "_".join(map(str, (*spread_widths(config), config.cols)))
        return f"qcnpe_unfold_{widths}"

    def build(self) -> Module:
        """A lane for each place; as many columns have it as a word has operands."""
        m = Module()
        places = self._build_places(m)
        beat: Value = self._columns(places, OPERAND_BITS, 1)
        for number, width in enumerate(spread_widths(self.config)):
            pairs = self.config.pairs(width)
            beat = Mux(self.how.spread[number], self._columns(places, width, pairs), beat)
        m.d.comb += self.beat.eq(Mux(self.how.places == 0, self.row.as_value(), beat))
        return m

    def _build_places(self, m: Module) -> list[Signal]:
        """The lane of each place, or zero."""
        how: Any = self.how
        lanes = list(self.row)[:FOLD_LANES]
        found = []
        for number in range(len(lanes)):
            lane, place = Signal(4, name=f"lane_{number}"), Signal(16, name=f"place_{number}")
            is_used = how.places[number]
            if len(lanes) < FOLD_LANES:
                is_used = is_used & (lane < len(lanes))
            m.d.comb += [
                lane.eq(how.turn + number),
                place.eq(Mux(is_used, self._build_lane(m, lanes, number, lane), 0)),
            ]
            found.append(place)
        return found

    def _build_lane(self, m: Module, lanes: list[Any], number: int, lane: Signal) -> Value:
        """The word of a lane."""
        if len(lanes) == 1:
            return lanes[0]
        m.submodules[f"place_{number}"] = select = WordSelect(width=OPERAND_BITS, words=len(lanes))
        m.d.comb += [select.choices.eq(Cat(lanes)), select.number.eq(lane)]
        return select.word

    def _columns(self, places: list[Signal], width: int, pairs: int) -> Value:
        """A beat in which each of so many columns has one operand of a place, in its bits."""
        parts: list[Value] = []
        for column in range(self.config.cols):
            place, slot = divmod(column, pairs)
            low = slot * width
            operand = places[place][low : low + width] if place < len(places) else Const(0, width)
            parts += [Const(0, low), operand, Const(0, OPERAND_BITS - low - width)]
        return Cat(parts)
