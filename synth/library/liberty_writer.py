"""Writes the characterised cells as a Liberty file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synth.library.cells import Cell
from synth.library.characterize_cell import CONSTRAINT_SLEWS_PS, SLEWS_PS, max_load_ff
from synth.library.measure import HALF, HIGH, LOW
from synth.library.tables import CellTables, ConstraintArc, HiddenPower, PowerArc, TimingArc
from synth.library.technology import TECHNOLOGY

LIBRARY = "axnn45"
DIGITS = 4
# Attributes whose value is a word of the language; all other text is quoted.
KEYWORDS = {
    "default_operating_conditions",
    "delay_model",
    "direction",
    "timing_sense",
    "timing_type",
    "variable_1",
    "variable_2",
}


@dataclass
class Group:
    """A Liberty group: `kind (name) { ... }`."""

    kind: str
    name: str = ""

    def __post_init__(self) -> None:
        self.items: list[str | Group] = []

    def set(self, key: str, value: str | float | bool) -> "Group":
        """A simple attribute; text is quoted unless Liberty expects one of its own words."""
        self.items.append(f"{key} : {_value(key, value)};")
        return self

    def call(self, key: str, *values: str) -> "Group":
        """A complex attribute."""
        self.items.append(f"{key} ({', '.join(values)});")
        return self

    def add(self, group: "Group") -> "Group":
        """A nested group, which is returned."""
        self.items.append(group)
        return group

    def lines(self, indent: int = 0) -> Iterable[str]:
        """The text, line by line."""
        space = "  " * indent
        yield f"{space}{self.kind} ({self.name}) {{"
        for item in self.items:
            if isinstance(item, Group):
                yield from item.lines(indent + 1)
            else:
                yield f"{space}  {item}"
        yield f"{space}}}"


def _value(key: str, value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if key in KEYWORDS else f'"{value}"'
    return number(value)


def number(value: float) -> str:
    """A number with four significant digits; below a millionth it is written as zero."""
    return f"{value:.{DIGITS}g}" if abs(value) >= 1e-6 else "0"


def write_liberty(cells: Sequence[tuple[Cell, CellTables]], provenance: str) -> str:
    """The whole library as text; `provenance` goes into its comment attribute."""
    library = _library(provenance)
    for cell, tables in cells:
        library.add(_cell(cell, tables))
    return "\n".join(library.lines()) + "\n"


def _library(provenance: str) -> Group:
    tech = TECHNOLOGY
    lib = Group("library", LIBRARY).call("technology", "cmos").set("delay_model", "table_lookup")
    lib.set("comment", provenance).set("revision", "1.0")
    lib.set("time_unit", "1ns").set("voltage_unit", "1V").set("current_unit", "1mA")
    lib.set("leakage_power_unit", "1nW").set("pulling_resistance_unit", "1kohm")
    lib.call("capacitive_load_unit", "1", "ff")
    lib.set("nom_process", 1.0).set("nom_voltage", tech.vdd_v)
    lib.set("nom_temperature", tech.temperature_c)
    for edge in ("rise", "fall"):
        lib.set(f"input_threshold_pct_{edge}", HALF * 100)
        lib.set(f"output_threshold_pct_{edge}", HALF * 100)
        lib.set(f"slew_lower_threshold_pct_{edge}", LOW * 100)
        lib.set(f"slew_upper_threshold_pct_{edge}", HIGH * 100)
    lib.set("slew_derate_from_library", 1.0)
    lib.set("default_max_transition", SLEWS_PS[-1] / 1000).set("default_fanout_load", 1.0)
    lib.set("default_cell_leakage_power", 0.0).set("default_leakage_power_density", 0.0)
    lib.set("default_inout_pin_cap", 1.0).set("default_input_pin_cap", 1.0)
    lib.set("default_output_pin_cap", 0.0)
    corner = lib.add(Group("operating_conditions", "typical"))
    corner.set("process", 1.0).set("voltage", tech.vdd_v).set("temperature", tech.temperature_c)
    lib.set("default_operating_conditions", "typical")
    _templates(lib)
    return lib


def _templates(lib: Group) -> None:
    slews, loads = _axis(SLEWS_PS, 1e-3), ", ".join(str(1 + i) for i in range(len(SLEWS_PS)))
    delay = lib.add(Group("lu_table_template", "delay"))
    delay.set("variable_1", "input_net_transition").set(
        "variable_2", "total_output_net_capacitance"
    )
    delay.call("index_1", f'"{slews}"').call("index_2", f'"{loads}"')
    energy = lib.add(Group("power_lut_template", "energy"))
    energy.set("variable_1", "input_transition_time")
    energy.set("variable_2", "total_output_net_capacitance")
    energy.call("index_1", f'"{slews}"').call("index_2", f'"{loads}"')
    hidden = lib.add(Group("power_lut_template", "hidden"))
    hidden.set("variable_1", "input_transition_time").call("index_1", f'"{slews}"')
    limits = _axis(CONSTRAINT_SLEWS_PS, 1e-3)
    bound = lib.add(Group("lu_table_template", "constraint"))
    bound.set("variable_1", "constrained_pin_transition").set(
        "variable_2", "related_pin_transition"
    )
    bound.call("index_1", f'"{limits}"').call("index_2", f'"{limits}"')


def _axis(values: Sequence[float], scale: float = 1.0) -> str:
    return ", ".join(number(v * scale) for v in values)


def _cell(cell: Cell, tables: CellTables) -> Group:
    group = Group("cell", cell.name).set("area", cell.area_um2)
    group.set("cell_footprint", cell.footprint.lower())
    if cell.kind == "clockgate":
        group.set("clock_gating_integrated_cell", "latch_posedge")
    if cell.dont_use:
        group.set("dont_use", True)
    leaks = tables.leakage_nw
    group.set("cell_leakage_power", sum(leaks.values()) / len(leaks))
    for when, power in leaks.items():
        if when:
            group.add(Group("leakage_power")).set("when", when).set("value", power)
    _state(cell, group)
    for pin in cell.inputs:
        _input(cell, tables, pin, group)
    for pin in cell.outputs:
        _output(cell, tables, pin, group)
    return group


def _state(cell: Cell, group: Group) -> None:
    if cell.kind == "flipflop":
        state = group.add(Group("ff", "IQ, IQN"))
        state.set("clocked_on", cell.clock).set("next_state", cell.data)
    elif cell.kind == "latch":
        state = group.add(Group("latch", "IQ, IQN"))
        state.set("enable", cell.clock).set("data_in", cell.data)
    elif cell.kind == "clockgate":
        table = group.add(Group("statetable", f'"{cell.clock} {cell.data}", "IQ"'))
        table.set("table", "L L : - : L, L H : - : H, H - : - : N")
        inner = group.add(Group("pin", "IQ"))
        inner.set("direction", "internal").set("internal_node", "IQ")


def _input(cell: Cell, tables: CellTables, pin: str, group: Group) -> None:
    rise, fall = tables.capacitance_ff[pin]
    body = group.add(Group("pin", pin)).set("direction", "input")
    body.set("capacitance", (rise + fall) / 2)
    body.set("rise_capacitance", rise).set("fall_capacitance", fall)
    body.set("max_transition", SLEWS_PS[-1] / 1000)
    if pin == cell.clock:
        body.set("clock", True)
    if cell.kind == "clockgate":
        role = "clock" if pin == cell.clock else "enable"
        body.set(f"clock_gate_{role}_pin", True)
    if pin == cell.data:
        for arc in tables.constraints:
            body.add(_constraint(cell, arc))
    for hidden in tables.hidden:
        if hidden.pin == pin:
            body.add(_hidden(hidden))


def _output(cell: Cell, tables: CellTables, pin: str, group: Group) -> None:
    body = group.add(Group("pin", pin)).set("direction", "output")
    body.set("max_capacitance", max_load_ff(cell))
    body.set("max_transition", SLEWS_PS[-1] / 1000)
    if cell.kind == "clockgate":
        body.set("state_function", cell.functions[pin]).set("clock_gate_out_pin", True)
    else:
        body.set("function", cell.functions[pin])
    arcs = [a for a in tables.timing if a.output == pin]
    for arc in arcs:
        body.add(_timing(arc, tables, sum(a.pin == arc.pin for a in arcs) > 1))
    for power in tables.power:
        if power.output == pin:
            body.add(_power(power, tables))


def _timing(arc: TimingArc, tables: CellTables, conditional: bool) -> Group:
    group = Group("timing").set("related_pin", arc.pin)
    if arc.sense == "rising_edge":
        group.set("timing_type", "rising_edge").set("timing_sense", "non_unate")
    else:
        group.set("timing_type", "combinational").set("timing_sense", arc.sense)
    if conditional and arc.when:
        group.set("when", arc.when).set("sdf_cond", sdf_condition(arc.when))
    for name in ("cell_rise", "cell_fall", "rise_transition", "fall_transition"):
        table = getattr(arc, name)
        if table is not None:
            group.add(_grid(name, "delay", table, tables))
    return group


def sdf_condition(when: str) -> str:
    """A condition such as Liberty's `A & !B` in SDF's notation."""
    parts = [p.strip() for p in when.split("&")]
    return " && ".join(f"({p.lstrip('!')} == 1'b{int(not p.startswith('!'))})" for p in parts)


def _power(arc: PowerArc, tables: CellTables) -> Group:
    group = Group("internal_power").set("related_pin", arc.pin)
    if arc.when:
        group.set("when", arc.when)
    for name in ("rise", "fall"):
        table = getattr(arc, name)
        if table is not None:
            group.add(_grid(f"{name}_power", "energy", table, tables))
    return group


def _hidden(arc: HiddenPower) -> Group:
    group = Group("internal_power")
    if arc.when:
        group.set("when", arc.when)
    for name in ("rise", "fall"):
        values = getattr(arc, name)
        if values is not None:
            table = group.add(Group(f"{name}_power", "hidden"))
            table.call("index_1", f'"{_axis(SLEWS_PS, 1e-3)}"')
            table.call("values", f'"{_axis(values)}"')
    return group


def _constraint(cell: Cell, arc: ConstraintArc) -> Group:
    edge = "falling" if cell.kind == "latch" else "rising"
    group = Group("timing").set("related_pin", cell.clock)
    group.set("timing_type", f"{arc.relation}_{edge}")
    for name in ("rise", "fall"):
        table = group.add(Group(f"{name}_constraint", "constraint"))
        axis = _axis(CONSTRAINT_SLEWS_PS, 1e-3)
        table.call("index_1", f'"{axis}"').call("index_2", f'"{axis}"')
        table.call("values", *(f'"{_axis(row)}"' for row in getattr(arc, name)))
    return group


def _grid(kind: str, template: str, rows: list[list[float]], tables: CellTables) -> Group:
    group = Group(kind, template).call("index_1", f'"{_axis(tables.slews_ps, 1e-3)}"')
    group.call("index_2", f'"{_axis(tables.loads_ff)}"')
    return group.call("values", *(f'"{_axis(row)}"' for row in rows))
