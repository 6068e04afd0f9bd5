"""Reads a cell from its group; ignores cells that are not used for logic."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from synth.errors import LibertyError
from synth.liberty.arcs import ArcReader
from synth.liberty.cells import Cell, CellKind, ClockGatePins, Storage
from synth.liberty.grammar import Group
from synth.liberty.logic import MAX_INPUTS, Function, parse_function
from synth.liberty.units import Units, read_number, read_units

MAX_OUTPUTS = 4
"""Most outputs of a cell that is used."""

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
"""Attributes of cells that a mapper must not use."""

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""Names that need no escape in Liberty, Verilog and RTLIL."""


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
        """A cell; None if it is not used for logic, such as a filler.

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
        """Mean, rising and falling capacitance; missing ones are taken from the others."""
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
        return _clock_gate(group, pins, inputs)
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


def _storage(group: Group) -> Storage:
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


def _clock_gate(group: Group, pins: Mapping[str, Group], inputs: Sequence[str]) -> _Content | None:
    """A clock gate for flip-flops that take data at the rising edge; no other kind is used.

    Its function follows from Liberty's name of its kind: a latch, open while the clock is low,
    holds the enable; the test pin is combined with the enable before or after the latch.
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
    if set(inputs) != {gate.enable, gate.clock, *roles["test"]}:
        return None  # the use of other inputs is unknown
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
    """Pins of one bit by name; a group may describe several."""
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
