"""What a cell does when an input toggles: its states, and the tables that price and delay it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from synth.errors import LibertyError
from synth.liberty.arcs import Arc
from synth.liberty.cells import Cell, CellKind, CellReader, single_pins
from synth.liberty.grammar import Group
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
class Step:
    """What one toggle of one input does: the next state, the outputs, or the hidden energy."""

    after: int
    drives: tuple[Drive, ...] = ()
    hidden: tuple[Lookup, ...] = ()


@dataclass(frozen=True)
class CellModel:
    """Function, capacitances and arcs of a cell.

    A state is a number: the inputs in order, the first the lowest bit, then the stored bit.

    Attributes
    ----------
    cell : what it is, with its delays
    leakage_nw : mean over states
    power : energies
    """

    cell: Cell
    leakage_nw: float
    power: tuple[Arc, ...]
    _steps: dict[Tied, tuple[tuple[Step, ...], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def kind(self) -> CellKind:
        """What the cell is."""
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
        """Pin that lets data in, of a cell that stores."""
        return self.cell.storage.control if self.cell.storage else ""

    @property
    def data(self) -> tuple[str, ...]:
        """Pins that say what is stored next."""
        names = self.cell.storage.data.names if self.cell.storage else frozenset()
        return tuple(pin for pin in self.inputs if pin in names)

    @property
    def states(self) -> int:
        """Number of states."""
        return 1 << (len(self.inputs) + (self.cell.storage is not None))

    def pins(self, state: int) -> dict[str, int]:
        """Value of every pin in a state, and of the stored bit under its names."""
        values = self._inner(state)
        return values | {pin: f.evaluate(values) for pin, f in self.cell.outputs.items()}

    def _inner(self, state: int) -> dict[str, int]:
        """Values of the inputs, the stored bit and its complement."""
        values = {pin: state >> index & 1 for index, pin in enumerate(self.inputs)}
        if self.cell.storage:
            stored = state >> len(self.inputs) & 1
            values |= zip(self.cell.storage.names, (stored, 1 - stored), strict=True)
        return values

    def at_start(self, inputs: int) -> int:
        """The state after power-up with given inputs: what is stored is 0 unless it is forced."""
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
            and self._inner(after)[pin] == self.cell.storage.active
        )
        inputs = (1 << len(self.inputs)) - 1
        return after & inputs | self._stored(after, opened=opened) << len(self.inputs)

    def _is_open(self, state: int) -> bool:
        """Whether data pass through, whatever toggles."""
        storage = self.cell.storage
        if storage is None or self.kind is CellKind.FLIPFLOP:
            return False
        return self._inner(state)[storage.control] == storage.active

    def _stored(self, state: int, *, opened: bool) -> int:
        """What is stored next, with the inputs and the stored bit of a state."""
        storage, values = self.cell.storage, self._inner(state)
        if storage is None:
            return 0
        clear, preset = storage.clear.evaluate(values), storage.preset.evaluate(values)
        if clear or preset:
            return storage.both if clear and preset else preset
        return storage.data.evaluate(values) if opened else values[storage.names[0]]

    def steps(self, tied: Tied = ()) -> tuple[tuple[Step, ...], ...]:
        """For each state and input, what a toggle does.

        States that cannot be, and toggles of inputs that are tied, are left empty: a file need not
        say what they do.

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

    def _step(self, state: int, pin: str, tied: Mapping[str, int]) -> Step:
        after = self.next_state(state, pin)
        old, new = self.pins(state), self.pins(after)
        if pin in tied or not self._can_be(state, tied):
            return Step(after)
        changed = [output for output in self.outputs if old[output] != new[output]]
        if changed:
            return Step(after, tuple(self._drive(pin, output, old, new) for output in changed))
        word = "rise_power" if new[pin] else "fall_power"
        arcs = (arc for arc in self.power if arc.pin == pin and not arc.related)
        return Step(after, hidden=_priced(arcs, word, old))

    def _can_be(self, state: int, tied: Mapping[str, int]) -> bool:
        """Whether tied inputs have their values, and a set or cleared bit the value forced."""
        values = self._inner(state)
        if any(values[name] != value for name, value in tied.items()):
            return False
        return self._stored(state, opened=False) == state >> len(self.inputs)

    def _drive(
        self, pin: str, output: str, old: Mapping[str, int], new: Mapping[str, int]
    ) -> Drive:
        edge = "rise" if new[output] else "fall"
        wrong = "negative_unate" if new[output] == new[pin] else "positive_unate"
        arcs = [
            arc
            for arc in self.cell.timing
            if (arc.pin, arc.related) == (output, pin)
            and {f"cell_{edge}", f"{edge}_transition"} <= arc.tables.keys()
        ]
        arc = _fitting([arc for arc in arcs if arc.sense != wrong] or arcs, old)
        if arc is None:
            raise LibertyError(
                f"cell {self.cell.name}: no cell_{edge} with {edge}_transition of {output} for"
                f" {pin}; use a library with complete arcs"
            )
        power = (arc for arc in self.power if (arc.pin, arc.related) == (output, pin))
        return Drive(
            output=output,
            value=new[output],
            delay=arc.tables[f"cell_{edge}"],
            transition=arc.tables[f"{edge}_transition"],
            power=_priced(power, f"{edge}_power", old),
        )


def _fitting(arcs: Sequence[Arc], values: Mapping[str, int]) -> Arc | None:
    """The arc whose condition holds; else one without condition; else any: the nearest known."""
    rest = [arc for arc in arcs if arc.when is None]
    holding = (arc for arc in arcs if arc.when is not None and arc.when.evaluate(values))
    return next(holding, next(iter(rest or arcs), None))


def _priced(arcs: Iterable[Arc], table: str, values: Mapping[str, int]) -> tuple[Lookup, ...]:
    """The energy of a toggle: of each supply pin the entry that fits, if one does."""
    by_supply: dict[str, list[Arc]] = {}
    for arc in arcs:
        if table in arc.tables:
            by_supply.setdefault(arc.supply, []).append(arc)
    found = []
    for group in by_supply.values():
        fits = _fitting(group, values)
        if fits and (fits.when is None or fits.when.evaluate(values)):
            found.append(fits.tables[table])
    return tuple(found)


def read_model(cell: Cell, group: Group, reader: CellReader) -> CellModel:
    """The model of a cell.

    Parameters
    ----------
    cell : the cell
    group : that the file holds of it
    reader : of its library

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
