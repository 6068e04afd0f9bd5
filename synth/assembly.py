"""Puts the netlists of an engine's units together into one flat netlist.

Every unit is mapped once and placed as often as the engine has it. A net between units has the
loads that its driver's unit and its readers' units give it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from synth.annotate import net_loads
from synth.errors import SynthesisError
from synth.liberty.models import CellModel
from synth.netlist import CONSTANT_NETS, Netlist, Placed, Port
from synth.wires import Wires


@dataclass(frozen=True)
class Place:
    """A unit in an engine.

    Attributes
    ----------
    path : names of the instances from the top to it
    unit : its module
    nets : by net of the unit, the net of the whole
    """

    path: tuple[str, ...]
    unit: str
    nets: Mapping[int, int]


@dataclass(frozen=True)
class Assembly:
    """An engine in one netlist.

    Attributes
    ----------
    netlist : all cells, the units' cells one after another as in `places`
    places : all units
    units : netlist of each unit
    """

    netlist: Netlist
    places: tuple[Place, ...]
    units: Mapping[str, Netlist]

    def unit_loads_ff(
        self, models: Mapping[str, CellModel], wires: Wires
    ) -> dict[str, dict[int, float]]:
        """Loads that each unit gives its own nets: its pins and the wires inside it."""
        return {
            name: net_loads(unit, models, wires.capacitances_ff(wires.lengths(unit)), 0.0)
            for name, unit in self.units.items()
        }

    def loads_ff(self, by_unit: Mapping[str, Mapping[int, float]]) -> dict[int, float]:
        """Loads of all nets: the sums of what the units give them."""
        loads: dict[int, float] = defaultdict(float)
        for place in self.places:
            for net, load in by_unit[place.unit].items():
                loads[place.nets[net]] += load
        return loads


@dataclass
class _Nets:
    """Nets of the whole, some of which are found to be the same."""

    same_as: list[int] = field(default_factory=lambda: list(CONSTANT_NETS))

    def make(self) -> int:
        self.same_as.append(len(self.same_as))
        return self.same_as[-1]

    def find(self, net: int) -> int:
        while self.same_as[net] != net:
            self.same_as[net] = self.same_as[self.same_as[net]]
            net = self.same_as[net]
        return net

    def join(self, one: int, other: int) -> None:
        """Make two nets one, with the lower number: constants stay what they are."""
        low, high = sorted((self.find(one), self.find(other)))
        if low != high and high in CONSTANT_NETS:
            raise SynthesisError("a net is both constants; the netlists are damaged")
        self.same_as[high] = low


def assemble(units: Mapping[str, Netlist], top: str) -> Assembly:
    """Put units together.

    Parameters
    ----------
    units : netlist of each unit, with its instances of others
    top : name of the unit that contains all others
    """
    nets = _Nets()
    places: list[Place] = []
    outside = {
        name: tuple(nets.make() for _ in port.nets) for name, port in units[top].ports.items()
    }
    _place(units, (), top, outside, nets, places)
    found = [
        Place(place.path, place.unit, {net: nets.find(its) for net, its in place.nets.items()})
        for place in places
    ]
    netlist = Netlist(
        name=top,
        placed=tuple(_moved(cell, place) for place in found for cell in units[place.unit].placed),
        ports={
            name: Port(port.direction, tuple(nets.find(net) for net in outside[name]))
            for name, port in units[top].ports.items()
        },
        signals={},
    )
    return Assembly(netlist, tuple(found), {place.unit: units[place.unit] for place in found})


def _place(
    units: Mapping[str, Netlist],
    path: tuple[str, ...],
    unit: str,
    outside: Mapping[str, tuple[int, ...]],
    nets: _Nets,
    places: list[Place],
) -> None:
    """Place a unit, whose ports are connected to nets of the whole, and all units inside it."""
    netlist = units[unit]
    its: dict[int, int] = {net: net for net in CONSTANT_NETS}
    for name, port in netlist.ports.items():
        unconnected = (0,) * len(port.nets) if port.direction == "input" else ()
        for net, outer in zip(port.nets, outside.get(name, unconnected), strict=False):
            nets.join(its.setdefault(net, outer), outer)
    for net in _used(netlist):
        if net not in its:
            its[net] = nets.make()
    places.append(Place(path, unit, its))
    for inner in netlist.instances:
        pins = {pin: tuple(its[net] for net in of_pin) for pin, of_pin in inner.pins.items()}
        _place(units, (*path, inner.name), inner.unit, pins, nets, places)


def _used(netlist: Netlist) -> list[int]:
    used = [net for cell in netlist.placed for net in cell.pins.values()]
    used += [net for port in netlist.ports.values() for net in port.nets]
    return used + [
        net for inner in netlist.instances for nets in inner.pins.values() for net in nets
    ]


def _moved(cell: Placed, place: Place) -> Placed:
    name = ".".join((*place.path, cell.name))
    return Placed(name, cell.cell, {pin: place.nets[net] for pin, net in cell.pins.items()})
