"""What a library cell does: its states, its arcs, and the tables that price and delay them."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synth.errors import LibertyError
from synth.liberty import Group, Library, evaluate

Kind = Literal["logic", "flipflop", "latch", "clockgate"]


@dataclass(frozen=True)
class Lookup:
    """A Liberty table over input transition and, if it has a second axis, load.

    Attributes
    ----------
    slews_ns, loads_ff : axes
    values : (slews, loads), or (slews, 1)
    """

    slews_ns: tuple[float, ...]
    loads_ff: tuple[float, ...]
    values: NDArray[np.float64]

    def at(self, slew_ns: float, load_ff: float) -> float:
        """Bilinear interpolation, linear extrapolation outside."""
        row, u = _place(self.slews_ns, slew_ns)
        values = self.values
        if not self.loads_ff:
            return float(values[row, 0] + u * (values[row + 1, 0] - values[row, 0]))
        col, v = _place(self.loads_ff, load_ff)
        low = values[row, col] + v * (values[row, col + 1] - values[row, col])
        high = values[row + 1, col] + v * (values[row + 1, col + 1] - values[row + 1, col])
        return float(low + u * (high - low))


@dataclass(frozen=True)
class Arc:
    """A `timing` or `internal_power` group of an output, or hidden power of an input.

    Attributes
    ----------
    pin : that holds the group
    related : pin whose toggle causes it; empty for hidden power
    when : pin values under which it holds
    sense : Liberty's timing sense
    tables : by name, such as `cell_rise`
    """

    pin: str
    related: str
    when: Mapping[str, int]
    sense: str
    tables: Mapping[str, Lookup]

    def holds(self, values: Mapping[str, int]) -> bool:
        """Whether the condition is true for pin values."""
        return all(values[pin] == value for pin, value in self.when.items())


@dataclass(frozen=True)
class CellModel:
    """Function, capacitances and arcs of a cell.

    A state is a number: the inputs in order, the first the lowest bit, then the stored bit.

    Attributes
    ----------
    name : of the cell
    kind : what it is
    inputs, outputs : pins
    functions : Liberty functions of the outputs
    clock, data : pins of a cell that stores
    capacitance_ff : by input pin
    leakage_nw : mean over states
    timing, power : arcs
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    functions: Mapping[str, str]
    clock: str
    data: str
    capacitance_ff: Mapping[str, float]
    leakage_nw: float
    timing: tuple[Arc, ...]
    power: tuple[Arc, ...]

    @property
    def states(self) -> int:
        """Number of states."""
        return 1 << (len(self.inputs) + (self.kind != "logic"))

    def pins(self, state: int) -> dict[str, int]:
        """Value of every pin in a state."""
        values = {pin: state >> index & 1 for index, pin in enumerate(self.inputs)}
        stored = state >> len(self.inputs) & 1
        inner = {**values, "IQ": stored, "IQN": 1 - stored}
        return values | {pin: evaluate(self.functions[pin], inner) for pin in self.outputs}

    def next_state(self, state: int, pin: str) -> int:
        """State after a toggle of an input."""
        after = state ^ 1 << self.inputs.index(pin)
        if self.kind == "logic":
            return after
        values = {name: after >> index & 1 for index, name in enumerate(self.inputs)}
        edge = pin == self.clock and values[self.clock] == 1
        opened = {
            "flipflop": edge,
            "latch": values[self.clock] == 1,
            "clockgate": values[self.clock] == 0,
        }[self.kind]
        if not opened:
            return after
        stored = 1 << len(self.inputs)
        return after & ~stored | stored * values[self.data]

    @cached_property
    def steps(self) -> tuple[tuple["Step", ...], ...]:
        """For each state and input, what a toggle does."""
        return tuple(
            tuple(self._step(state, pin) for pin in self.inputs) for state in range(self.states)
        )

    def _step(self, state: int, pin: str) -> "Step":
        after = self.next_state(state, pin)
        old, new = self.pins(state), self.pins(after)
        changed = tuple(output for output in self.outputs if old[output] != new[output])
        drives = tuple(self._drive(pin, output, old, new) for output in changed)
        word = "rise_power" if new[pin] else "fall_power"
        hidden = (
            ()
            if changed
            else tuple(
                arc.tables[word]
                for arc in self.power
                if arc.pin == pin and not arc.related and word in arc.tables and arc.holds(old)
            )
        )
        return Step(after, drives, hidden)

    def _drive(
        self, pin: str, output: str, old: Mapping[str, int], new: Mapping[str, int]
    ) -> "Drive":
        edge = "rise" if new[output] else "fall"
        wrong = "negative_unate" if new[output] == new[pin] else "positive_unate"
        timing = [
            arc.tables
            for arc in self.timing
            if (arc.pin, arc.related) == (output, pin)
            and f"cell_{edge}" in arc.tables
            and arc.sense != wrong
            and arc.holds(old)
        ]
        power = [
            arc.tables[f"{edge}_power"]
            for arc in self.power
            if (arc.pin, arc.related) == (output, pin)
            and f"{edge}_power" in arc.tables
            and arc.holds(old)
        ]
        if not timing:
            raise LibertyError(
                f"{self.name}: no cell_{edge} of {output} for {pin} in {dict(old)}; use a library"
                " with complete arcs"
            )
        return Drive(
            output,
            new[output],
            timing[0][f"cell_{edge}"],
            timing[0][f"{edge}_transition"],
            tuple(power[:1]),
        )


@dataclass(frozen=True)
class Drive:
    """An output that a toggle changes: its new value and the tables of that edge."""

    output: str
    value: int
    delay: Lookup
    transition: Lookup
    power: tuple[Lookup, ...]


@dataclass(frozen=True)
class Step:
    """What one toggle of one input does: the next state, the outputs, or the hidden energy."""

    after: int
    drives: tuple[Drive, ...]
    hidden: tuple[Lookup, ...]


def read_models(library: Library, names: Sequence[str]) -> dict[str, CellModel]:
    """Models of some cells of a library whose units are ns, fF, fJ and nW.

    Raises
    ------
    LibertyError
        If the library is written in other units, or a cell is not in it.
    """
    root = library.root
    units = (root.attributes.get("time_unit"), root.lists.get("capacitive_load_unit"))
    if units != ("1ns", ("1", "ff")):
        raise LibertyError(
            f"{library.path}: energy needs a library in ns and fF, not {units}; give another"
        )
    missing = sorted(set(names) - set(library.cells))
    if missing:
        raise LibertyError(f"{library.path}: has no cell {missing[0]}; synthesise again")
    return {name: _model(library.cells[name]) for name in names}


def _model(cell: Group) -> CellModel:
    pins = [pin for pin in cell.of_kind("pin") if pin.attributes.get("direction") != "internal"]
    by_way: dict[str, list[Group]] = {"input": [], "output": []}
    for pin in pins:
        by_way[pin.attributes["direction"]].append(pin)
    kind, clock, data = _storage(cell)
    return CellModel(
        name=cell.name,
        kind=kind,
        inputs=tuple(pin.name for pin in by_way["input"]),
        outputs=tuple(pin.name for pin in by_way["output"]),
        functions={
            pin.name: pin.attributes.get("function") or pin.attributes["state_function"]
            for pin in by_way["output"]
        },
        clock=clock,
        data=data,
        capacitance_ff={pin.name: float(pin.attributes["capacitance"]) for pin in by_way["input"]},
        leakage_nw=float(cell.attributes.get("cell_leakage_power", 0)),
        timing=tuple(_arc(pin.name, g) for pin in by_way["output"] for g in pin.of_kind("timing")),
        power=tuple(_arc(pin.name, g) for pin in pins for g in pin.of_kind("internal_power")),
    )


def _storage(cell: Group) -> tuple[Kind, str, str]:
    for group in cell.of_kind("ff"):
        return "flipflop", group.attributes["clocked_on"], group.attributes["next_state"]
    for group in cell.of_kind("latch"):
        return "latch", group.attributes["enable"], group.attributes["data_in"]
    if "clock_gating_integrated_cell" in cell.attributes:
        roles = {
            role: pin.name
            for pin in cell.of_kind("pin")
            for role in ("clock", "enable")
            if f"clock_gate_{role}_pin" in pin.attributes
        }
        return "clockgate", roles["clock"], roles["enable"]
    return "logic", "", ""


def _arc(pin: str, group: Group) -> Arc:
    literals = [part.strip() for part in group.attributes.get("when", "").split("&")]
    return Arc(
        pin=pin,
        related=group.attributes.get("related_pin", ""),
        when={part.lstrip("!"): int(not part.startswith("!")) for part in literals if part},
        sense=group.attributes.get("timing_sense", ""),
        tables={table.kind: _lookup(table) for table in group.groups if "values" in table.lists},
    )


def _lookup(table: Group) -> Lookup:
    def numbers(text: str) -> tuple[float, ...]:
        return tuple(float(word) for word in re.split(r"[,\s]+", text.strip()))

    slews = numbers(table.lists["index_1"][0])
    loads = numbers(table.lists["index_2"][0]) if "index_2" in table.lists else ()
    rows = [numbers(row) for row in table.lists["values"]]
    return Lookup(slews, loads, np.array(rows).reshape(len(slews), -1))


def _place(axis: Sequence[float], value: float) -> tuple[int, float]:
    index = min(max(bisect_right(axis, value) - 1, 0), len(axis) - 2)
    return index, (value - axis[index]) / (axis[index + 1] - axis[index])
