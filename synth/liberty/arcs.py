"""Arcs of a cell: delay and energy of the effect of one pin's toggle on another pin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth.liberty.grammar import Group
from synth.liberty.logic import Function, parse_function
from synth.liberty.tables import Lookup, TableReader
from synth.liberty.units import Units

DELAY_TABLES = ("cell_rise", "rise_transition", "cell_fall", "fall_transition")

_ENERGY_TABLES = ("rise_power", "fall_power")
_TEMPLATES = ("lu_table_template", "power_lut_template")


@dataclass(frozen=True)
class Arc:
    """A `timing` or `internal_power` group of an output, or hidden power of an input.

    Attributes
    ----------
    pin : that holds the group
    related : pin whose toggle causes it; empty for hidden power
    when : condition on the pins' values; none if it always holds
    sense : Liberty's timing sense
    supply : supply pin that gives the energy, if the file distinguishes supply pins
    tables : by name, such as `cell_rise`
    """

    pin: str
    related: str
    when: Function | None
    sense: str
    supply: str
    tables: Mapping[str, Lookup]

    @property
    def delays_both_edges(self) -> bool:
        """Whether it has delays and transitions of both edges."""
        return self.tables.keys() >= set(DELAY_TABLES)


class ArcReader:
    """Reads the arcs of one library's pins.

    Parameters
    ----------
    library : its group
    units : of its numbers
    """

    def __init__(self, library: Group, units: Units) -> None:
        self._units = units
        templates = {group.name: group for group in library.of_kind(*_TEMPLATES)}
        self._tables = TableReader(templates, units.time_ns, units.capacitance_ff)

    def timing(self, name: str, pin: Group) -> Iterator[Arc]:
        """Delays of an output; `LibertyError` if a table or a condition is damaged."""
        for group in pin.of_kind("timing"):
            yield from self._arcs(name, group, DELAY_TABLES, self._units.time_ns)

    def power(self, name: str, pin: Group) -> Iterator[Arc]:
        """Energies of a pin; `LibertyError` if a table or a condition is damaged."""
        for group in pin.of_kind("internal_power"):
            yield from self._arcs(name, group, _ENERGY_TABLES, self._units.energy_fj)

    def _arcs(self, name: str, group: Group, names: Sequence[str], unit: float) -> Iterator[Arc]:
        tables = {
            kind: self._tables.read(table, unit)
            for table in group.groups
            for kind in (_ENERGY_TABLES if table.kind == "power" else (table.kind,))
            if kind in names
        }
        when = group.attributes.get("when", "").strip()
        condition = parse_function(when) if when else None
        for related in group.attributes.get("related_pin", "").split() or [""]:
            yield Arc(
                pin=name,
                related=related,
                when=condition,
                sense=group.attributes.get("timing_sense", ""),
                supply=group.attributes.get("related_pg_pin", ""),
                tables=tables,
            )
