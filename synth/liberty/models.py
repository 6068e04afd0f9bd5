"""Models of cells: their states, and the delays and energies of input toggles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from synth.errors import LibertyError
from synth.liberty.arcs import Arc
from synth.liberty.cell_reader import CellReader, single_pins
from synth.liberty.cells import Cell, CellKind
from synth.liberty.grammar import Group
from synth.liberty.logic import Function
from synth.liberty.tables import Lookup
from synth.liberty.units import read_number

Tied = tuple[tuple[str, int], ...]
"""Inputs that never toggle, each with its value."""


@dataclass(frozen=True)
class Drive:
    """An output that a toggle changes: its new value and the tables of that edge."""

    output: str
    value: int
    delay: Lookup
    transition: Lookup
    power: tuple[Lookup, ...]


@dataclass(frozen=True)
class CellToggle:
    """Effect of a toggle of one input: the next state, the outputs, or the hidden energy."""

    after: int
    drives: tuple[Drive, ...] = ()
    hidden: tuple[Lookup, ...] = ()


@dataclass(frozen=True)
class CellModel:
    """Function, capacitances and arcs of a cell.

    A state is a number: the inputs in order, the first the lowest bit, then the stored bit.

    Attributes
    ----------
    cell : pins, functions and delays
    leakage_nw : mean over states
    power : energies
    """

    cell: Cell
    leakage_nw: float
    power: tuple[Arc, ...]
    _values: dict[Function, int] = field(default_factory=dict, repr=False, compare=False)
    _steps: dict[Tied, tuple[tuple[CellToggle, ...], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def kind(self) -> CellKind:
        """Kind of the cell."""
        return self.cell.kind

    @property
    def inputs(self) -> tuple[str, ...]:
        """Input pins."""
        return self.cell.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Output pins."""
        return tuple(self.cell.outputs)

    @property
    def capacitance_ff(self) -> Mapping[str, float]:
        """Capacitance by input pin."""
        return self.cell.capacitance_ff

    @property
    def clock(self) -> str:
        """Pin that controls when a storage cell stores data."""
        return self.cell.storage.control if self.cell.storage else ""

    @property
    def data(self) -> tuple[str, ...]:
        """Pins that determine the stored value."""
        names = self.cell.storage.data.names if self.cell.storage else frozenset()
        return tuple(pin for pin in self.inputs if pin in names)

    @property
    def states(self) -> int:
        """Number of states."""
        return 1 << (len(self.inputs) + (self.cell.storage is not None))

    def pins(self, state: int) -> dict[str, int]:
        """Value of every pin in a state, and of the stored bit under its names."""
        return {name: column >> state & 1 for name, column in self._columns.items()}

    @cached_property
    def _columns(self) -> Mapping[str, int]:
        """The values of `pins` in all states, each state a bit."""
        names = [*self.inputs, *(self.cell.storage.names[:1] if self.cell.storage else ())]
        columns = {name: _periods(place, self.states) for place, name in enumerate(names)}
        if self.cell.storage:
            stored, complement = self.cell.storage.names
            columns[complement] = columns[stored] ^ self._ones
        outputs = self.cell.outputs.items()
        return columns | {pin: f.evaluate(columns, self._ones) for pin, f in outputs}

    @property
    def _ones(self) -> int:
        return (1 << self.states) - 1

    def _holds(self, function: Function, state: int) -> int:
        """Value of a function of `pins` in a state."""
        if function not in self._values:
            self._values[function] = function.evaluate(self._columns, self._ones)
        return self._values[function] >> state & 1

    def at_start(self, inputs: int) -> int:
        """The state after power-up with given inputs: the stored bit is 0 unless it is forced."""
        stored = self._stored(inputs, opened=self._is_open(inputs))
        return inputs | stored << len(self.inputs)

    def next_state(self, state: int, pin: str) -> int:
        """State after a toggle of an input."""
        after = state ^ 1 << self.inputs.index(pin)
        if self.cell.storage is None:
            return after
        opened = self._is_open(after) or (
            self.kind is CellKind.FLIPFLOP
            and pin == self.clock
            and after >> self.inputs.index(pin) & 1 == self.cell.storage.active
        )
        inputs = (1 << len(self.inputs)) - 1
        return after & inputs | self._stored(after, opened=opened) << len(self.inputs)

    def _is_open(self, state: int) -> bool:
        """Whether data are stored in this state, as in an open latch."""
        storage = self.cell.storage
        if storage is None or self.kind is CellKind.FLIPFLOP:
            return False
        return state >> self.inputs.index(storage.control) & 1 == storage.active

    def _stored(self, state: int, *, opened: bool) -> int:
        """The next stored bit, for the inputs and the stored bit of a state."""
        storage = self.cell.storage
        if storage is None:
            return 0
        clear, preset = self._holds(storage.clear, state), self._holds(storage.preset, state)
        if clear or preset:
            return storage.both if clear and preset else preset
        return self._holds(storage.data, state) if opened else state >> len(self.inputs)

    def steps(self, tied: Tied = ()) -> tuple[tuple[CellToggle, ...], ...]:
        """Effect of a toggle, for each state and input.

        Impossible states and toggles of tied inputs are left empty: a file need not have their
        arcs.

        Raises
        ------
        LibertyError
            If the file lacks an arc.
        """
        if tied not in self._steps:
            self._steps[tied] = tuple(
                tuple(self._step(state, pin, dict(tied)) for pin in self.inputs)
                for state in range(self.states)
            )
        return self._steps[tied]

    def _step(self, state: int, pin: str, tied: Mapping[str, int]) -> CellToggle:
        after = self.next_state(state, pin)
        old, new = self.pins(state), self.pins(after)
        if pin in tied or not self._can_be(state, tied):
            return CellToggle(after)
        changed = [output for output in self.outputs if old[output] != new[output]]
        if changed:
            return CellToggle(
                after, tuple(self._drive(pin, output, state, new) for output in changed)
            )
        table = "rise_power" if new[pin] else "fall_power"
        return CellToggle(after, hidden=self._energies((pin, ""), table, state))

    def _can_be(self, state: int, tied: Mapping[str, int]) -> bool:
        """Whether tied inputs have their values, and a set or cleared bit has the forced value."""
        places = {pin: place for place, pin in enumerate(self.inputs)}
        if any(state >> places[pin] & 1 != value for pin, value in tied.items()):
            return False
        return self._stored(state, opened=False) == state >> len(self.inputs)

    def _drive(self, pin: str, output: str, state: int, new: Mapping[str, int]) -> Drive:
        edge = "rise" if new[output] else "fall"
        wrong = "negative_unate" if new[output] == new[pin] else "positive_unate"
        delay, transition = f"cell_{edge}", f"{edge}_transition"
        arcs = [
            arc
            for arc in self._timing.get((output, pin), ())
            if {delay, transition} <= arc.tables.keys()
        ]
        arc = self._fitting([arc for arc in arcs if arc.sense != wrong] or arcs, state)
        if arc is None:
            raise LibertyError(
                f"cell {self.cell.name}: no {delay} with {transition} of {output} for {pin}; use a"
                " library with complete arcs"
            )
        return Drive(
            output=output,
            value=new[output],
            delay=arc.tables[delay],
            transition=arc.tables[transition],
            power=self._energies((output, pin), f"{edge}_power", state),
        )

    @cached_property
    def _timing(self) -> Mapping[tuple[str, str], list[Arc]]:
        return _by_pins(self.cell.timing)

    @cached_property
    def _power(self) -> Mapping[tuple[str, str], list[Arc]]:
        return _by_pins(self.power)

    def _fitting(self, arcs: Sequence[Arc], state: int) -> Arc | None:
        """The arc whose condition holds; else one without a condition; else the nearest one."""
        holding = (arc for arc in arcs if arc.when and self._holds(arc.when, state))
        always = [arc for arc in arcs if arc.when is None]
        return next(holding, next(iter(always or arcs), None))

    def _energies(self, pins: tuple[str, str], table: str, state: int) -> tuple[Lookup, ...]:
        """The energy of a toggle: the matching entry of each supply pin, if there is one."""
        by_supply: dict[str, list[Arc]] = {}
        for arc in self._power.get(pins, ()):
            if table in arc.tables:
                by_supply.setdefault(arc.supply, []).append(arc)
        fitting = (self._fitting(arcs, state) for arcs in by_supply.values())
        return tuple(
            arc.tables[table]
            for arc in fitting
            if arc and (arc.when is None or self._holds(arc.when, state))
        )


def _periods(place: int, count: int) -> int:
    """A bit for each of `count` numbers: whether the number has a 1 at a place."""
    half = 1 << place
    ones = ((1 << half) - 1) << half
    return sum(ones << start for start in range(0, count, 2 * half))


def _by_pins(arcs: Iterable[Arc]) -> Mapping[tuple[str, str], list[Arc]]:
    found: dict[tuple[str, str], list[Arc]] = {}
    for arc in arcs:
        found.setdefault((arc.pin, arc.related), []).append(arc)
    return found


def read_model(cell: Cell, group: Group, reader: CellReader) -> CellModel:
    """The model of a cell.

    Parameters
    ----------
    cell : the cell
    group : its group in the file
    reader : reader of its library

    Raises
    ------
    LibertyError
        If a table or a number is damaged.
    """
    pins = dict(single_pins(group))
    power = tuple(arc for name, pin in pins.items() for arc in reader.arcs.power(name, pin))
    return CellModel(cell, _leakage(group) * reader.units.leakage_nw, power)


def _leakage(group: Group) -> float:
    """Mean over a cell's states, in the library's unit."""
    texts = [group.attributes.get("cell_leakage_power", "")]
    if not texts[0]:
        states = group.of_kind("leakage_power")
        texts = [text for state in states if (text := state.attributes.get("value"))]
    values = [read_number(text, "leakage") for text in texts]
    return sum(values) / max(1, len(values))
