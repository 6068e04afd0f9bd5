"""What a cell is: a gate, a flip-flop, a latch or a clock gate; its pins, functions and delays."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from synth.errors import LibertyError
from synth.liberty.arcs import Arc, ArcReader
from synth.liberty.grammar import Group
from synth.liberty.logic import MAX_INPUTS, Function, parse_function
from synth.liberty.units import Units, read_number, read_units

MAX_OUTPUTS = 4
"""Most outputs of a cell that is used."""

_CARRY = (0, 0, 0, 1, 0, 1, 1, 1)
_SUM = (0, 1, 1, 0, 1, 0, 0, 1)

_GATE = "clock_gating_integrated_cell"
_SEVERAL_BITS = ("bus", "bundle", "ff_bank", "latch_bank")

_SPECIAL = (
    "dont_use",
    "always_on",
    "is_clock_isolation_cell",
    "is_isolation_cell",
    "is_level_shifter",
    "is_macro_cell",
    "pad_cell",
)
"""Attributes of cells that a mapper must leave alone."""

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""Names that need no escape, in any language that they are written in."""

_ZERO = Function(("0",))


class CellKind(Enum):
    """What a cell does with its inputs."""

    LOGIC = "logic"
    FLIPFLOP = "flip-flop"
    LATCH = "latch"
    CLOCK_GATE = "clock gate"


@dataclass(frozen=True)
class Storage:
    """The bit that a cell stores.

    Attributes
    ----------
    names : of the bit and of its complement in the functions of the outputs
    control : pin that lets data in
    active : value of the control: a flip-flop takes data when it has just come to have this value,
        a latch or clock gate while it has it
    data : what is stored then
    clear, preset : functions that force a 0 or a 1 while they are true
    both : what is stored while both are true
    """

    names: tuple[str, str]
    control: str
    active: int
    data: Function
    clear: Function = _ZERO
    preset: Function = _ZERO
    both: int = 0


@dataclass(frozen=True)
class ClockGatePins:
    """Pins of a clock gate; `test` is high when the gate is to be open in any case."""

    enable: str
    clock: str
    output: str
    test: str | None = None


@dataclass(frozen=True)
class Cell:
    """A cell that synthesis or simulation can work with.

    Attributes
    ----------
    name : of the cell
    kind : what it is
    area_um2 : its area
    capacitance_ff : by input pin, in the file's order
    edges_ff : capacitance to a rising and to a falling input
    outputs : functions by pin, of inputs and the stored bit's names
    max_load_ff : by output pin, where it is said
    timing : delays of the outputs
    storage : the stored bit, if there is one
    gate : pins of a clock gate
    for_mapping : whether a mapper may place it: false for what is marked `dont_use`, scan cells and
        cells between power domains
    """

    name: str
    kind: CellKind
    area_um2: float
    capacitance_ff: Mapping[str, float]
    edges_ff: Mapping[str, tuple[float, float]]
    outputs: Mapping[str, Function]
    max_load_ff: Mapping[str, float]
    timing: tuple[Arc, ...]
    storage: Storage | None = None
    gate: ClockGatePins | None = None
    for_mapping: bool = True

    @property
    def inputs(self) -> tuple[str, ...]:
        """Input pins."""
        return tuple(self.capacitance_ff)

    def delays_of(self, output: str) -> tuple[Arc, ...]:
        """Arcs from inputs to an output that say all that sizing needs."""
        return tuple(
            arc
            for arc in self.timing
            if arc.pin == output and arc.delays_both_edges and arc.related in self.capacitance_ff
        )

    @property
    def is_timed(self) -> bool:
        """Whether every output that inputs can change has delays."""
        return all(self.delays_of(pin) for pin, f in self.outputs.items() if f.names)

    @property
    def is_inverter(self) -> bool:
        """Whether it is a gate that inverts its only input."""
        return self.table == (1, 0)

    @property
    def is_buffer(self) -> bool:
        """Whether it is a gate that repeats its only input."""
        return self.table == (0, 1)

    @property
    def is_two_input_gate(self) -> bool:
        """Whether it is, with inverters, enough to make any logic of: an AND, NAND, OR or NOR."""
        return len(self.table) == 4 and sum(self.table) in (1, 3)

    @cached_property
    def table(self) -> tuple[int, ...]:
        """Truth table of a gate with one output; else nothing."""
        if self.kind is not CellKind.LOGIC or len(self.outputs) != 1:
            return ()
        (function,) = self.outputs.values()
        return function.truth_table(self.inputs)

    @property
    def full_adder_pins(self) -> tuple[str, ...]:
        """Three inputs, carry and sum of a full adder, by their truth tables; else nothing."""
        if self.kind is not CellKind.LOGIC or len(self.inputs) != 3 or len(self.outputs) != 2:
            return ()
        pins = {f.truth_table(self.inputs): pin for pin, f in self.outputs.items()}
        return (*self.inputs, pins[_CARRY], pins[_SUM]) if {_CARRY, _SUM} == set(pins) else ()


class CellReader:
    """Reads the cells of one library.

    Parameters
    ----------
    library : its group

    Raises
    ------
    LibertyError
        If its units cannot be read.
    """

    def __init__(self, library: Group) -> None:
        self.units: Units = read_units(library)
        self.arcs = ArcReader(library, self.units)
        self._defaults = library.attributes

    def read(self, group: Group) -> Cell | None:
        """A cell; nothing if it is none that logic is made of, such as a filler.

        Raises
        ------
        LibertyError
            If the cell is damaged, with its name.
        """
        try:
            return self._read(group)
        except LibertyError as error:
            raise LibertyError(f"cell {group.name}: {error}") from error

    def _read(self, group: Group) -> Cell | None:
        pins = dict(single_pins(group))
        ways = {name: pin.attributes.get("direction", "").lower() for name, pin in pins.items()}
        inputs = [name for name, way in ways.items() if way == "input"]
        outputs = [name for name, way in ways.items() if way == "output"]
        if not _is_made_of_bits(group, ways) or any(
            "three_state" in pins[name].attributes for name in outputs
        ):
            return None
        _check_names(group, pins)
        content = _content(group, pins, inputs, outputs)
        if content is None:
            return None
        kind, functions, storage, gate = content
        area_um2 = read_number(group.attributes.get("area", "0"), "area")
        capacitances_ff = {name: self._capacitances_ff(pins[name]) for name in inputs}
        return Cell(
            name=group.name,
            kind=kind,
            area_um2=area_um2,
            capacitance_ff={name: mean for name, (mean, *_) in capacitances_ff.items()},
            edges_ff={name: (rise, fall) for name, (_, rise, fall) in capacitances_ff.items()},
            outputs=functions,
            max_load_ff=dict(self._max_loads_ff({name: pins[name] for name in functions})),
            timing=tuple(arc for name in functions for arc in self.arcs.timing(name, pins[name])),
            storage=storage,
            gate=gate,
            for_mapping=area_um2 > 0 and not _is_special(group, pins),
        )

    def _capacitances_ff(self, pin: Group) -> tuple[float, float, float]:
        """Mean, for a rising and for a falling input; what is not said is taken from the rest."""
        texts = [pin.attributes.get(f"{edge}capacitance") for edge in ("", "rise_", "fall_")]
        if not any(texts):
            texts[0] = self._defaults.get("default_input_pin_cap", "0")
        mean, rise, fall = (
            read_number(text, "a capacitance") * self.units.capacitance_ff if text else None
            for text in texts
        )
        if mean is None:
            edges = [edge for edge in (rise, fall) if edge is not None]
            mean = sum(edges) / len(edges)
        return mean, mean if rise is None else rise, mean if fall is None else fall

    def _max_loads_ff(self, outputs: Mapping[str, Group]) -> Iterator[tuple[str, float]]:
        default = self._defaults.get("default_max_capacitance")
        for name, pin in outputs.items():
            text = pin.attributes.get("max_capacitance", default)
            if text is not None:
                yield name, read_number(text, "max_capacitance") * self.units.capacitance_ff


def _is_made_of_bits(group: Group, ways: Mapping[str, str]) -> bool:
    """Whether all pins are inputs or outputs of one bit, and not too many."""
    counts = Counter(ways.values())
    return (
        counts.keys() <= {"input", "output", "internal"}
        and 1 <= counts["output"] <= MAX_OUTPUTS
        and counts["input"] <= MAX_INPUTS
        and not any(group.of_kind(*_SEVERAL_BITS))
    )


def _check_names(group: Group, pins: Iterable[str]) -> None:
    stored = (name for kept in group.of_kind("ff", "latch") for name in kept.names)
    for name in (group.name, *pins, *stored):
        if not _NAME.fullmatch(name):
            raise LibertyError(f"its name or one in it is none for a netlist: {name[:30]!r}")


_Content = tuple[CellKind, Mapping[str, Function], Storage | None, ClockGatePins | None]


def _content(
    group: Group, pins: Mapping[str, Group], inputs: Sequence[str], outputs: Sequence[str]
) -> _Content | None:
    if _GATE in group.attributes:
        return _clock_gate(group, pins)
    if any(group.of_kind("statetable")):
        return None
    stores = list(group.of_kind("ff", "latch"))
    if len(stores) > 1 or any("function" not in pins[name].attributes for name in outputs):
        return None
    functions = {name: parse_function(pins[name].attributes["function"]) for name in outputs}
    storage = _storage(stores[0]) if stores else None
    names = {*inputs, *(storage.names if storage else ())}
    read = list(functions.values())
    if storage:
        read += [storage.data, storage.clear, storage.preset, Function((storage.control,))]
    for function in read:
        if unknown := sorted(function.names - names):
            raise LibertyError(f"a function reads {unknown[0]}, which is no input")
    kinds = {"ff": CellKind.FLIPFLOP, "latch": CellKind.LATCH}
    return kinds[stores[0].kind] if stores else CellKind.LOGIC, functions, storage, None


def _storage(group: Group) -> Storage | None:
    """The bit of an `ff` or `latch` group."""
    control, data = ("clocked_on", "next_state") if group.kind == "ff" else ("enable", "data_in")
    given = group.attributes
    if control not in given or data not in given:  # set and reset alone
        raise LibertyError(f"its {group.kind} has no {control} or no {data}")
    literal = parse_function(given[control]).literal()
    if literal is None or len(group.names) != 2:
        raise LibertyError(f"its {group.kind} is not controlled by a single pin")
    return Storage(
        names=(group.names[0], group.names[1]),
        control=literal[0],
        active=literal[1],
        data=parse_function(given[data]),
        clear=parse_function(given.get("clear", "0")),
        preset=parse_function(given.get("preset", "0")),
        both=int(given.get("clear_preset_var1", "L").upper() == "H"),
    )


def _clock_gate(group: Group, pins: Mapping[str, Group]) -> _Content | None:
    """A gate for flip-flops that take data when the clock rises; no other kind is used.

    What it does is what Liberty's name for its kind says: a latch, open while the clock is low,
    keeps the enable; the test pin is added before or after it.
    """
    kind = group.attributes[_GATE].lower()
    roles = {
        role: [name for name, pin in pins.items() if pin.is_set(f"clock_gate_{role}_pin")]
        for role in ("enable", "clock", "out", "test", "obs")
    }
    if not kind.startswith("latch_posedge") or roles["obs"]:
        return None
    if any(len(roles[role]) != 1 for role in ("enable", "clock", "out")) or len(roles["test"]) > 1:
        return None
    gate = ClockGatePins(roles["enable"][0], roles["clock"][0], roles["out"][0], *roles["test"])
    names = ("<enabled>", "<disabled>")
    data, opened = Function((gate.enable,)), Function((names[0],))
    if gate.test and "postcontrol" in kind:
        opened = Function((names[0], gate.test, "|"))
    elif gate.test:
        data = Function((gate.enable, gate.test, "|"))
    function = Function((*opened.postfix, gate.clock, "&"))
    storage = Storage(names, gate.clock, 0, data)
    return CellKind.CLOCK_GATE, {gate.output: function}, storage, gate


def single_pins(group: Group) -> Iterator[tuple[str, Group]]:
    """Pins of one bit by name; a group may stand for several."""
    for pin in group.of_kind("pin"):
        for names in pin.names:
            for name in names.split():
                yield name, pin


def _is_special(group: Group, pins: Mapping[str, Group]) -> bool:
    if any(group.is_set(attribute) for attribute in _SPECIAL):
        return True
    if "retention_cell" in group.attributes or any(group.of_kind("test_cell")):
        return True
    return any(
        pin.attributes.get("nextstate_type", "").startswith("scan")
        or pin.attributes.get("signal_type", "").startswith("test_scan")
        for pin in pins.values()
    )
