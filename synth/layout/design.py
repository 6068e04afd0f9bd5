"""A netlist as the placer and the router see it: cells on sites, nets, and ports on the edges."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from synth.layout.abstract import ROW_TRACKS, SITE_NM, TRACK_NM, AbstractCell, abstract_cells
from synth.liberty.cells import CellKind
from synth.liberty.library import Library
from synth.netlist import CONSTANT_NETS, Netlist

UTILISATION = 0.8
"""Share of the rows that cells cover."""

RING_ROWS = 1
RING_SITES = 8
"""Free space around the rows, in which ports are connected."""

SIDES = {"west": "W", "east": "E", "north": "N", "south": "S"}
"""Side of the outline for a port of that name; all others are in the north."""

PAIRS = (("west", "east"), ("north", "south"))
"""Ports of abutting units: bits of both are at the same place of opposite sides."""


CLOCK_WEIGHT = 4.0
"""Weight of a clock's wire where toggles are not known: it toggles more often than data."""

STILL_WEIGHT = 0.1
"""Weight of a wire that never toggles, for which toggles a cycle are more: it takes place, too."""


@dataclass(frozen=True)
class Pad:
    """A bit of a port.

    Attributes
    ----------
    net : number of its net
    side : W, E, N or S
    place : track along the side
    group : pads of a group may exchange their places
    """

    net: int
    side: str
    place: int
    group: str


@dataclass(frozen=True)
class Design:
    """What is placed and routed; places are in sites and tracks from the lower left corner.

    Attributes
    ----------
    name : of the unit
    netlist : its cells
    cells : abstracts by name
    rows, sites : rows of cells, and their length
    pads : bits of ports at their first places
    clocks : nets of clocks
    toggles : by net, in a cycle of work; empty if they are not known
    """

    name: str
    netlist: Netlist
    cells: Mapping[str, AbstractCell]
    rows: int
    sites: int
    pads: tuple[Pad, ...]
    clocks: frozenset[int]
    toggles: Mapping[int, float]

    @classmethod
    def of(
        cls,
        name: str,
        netlist: Netlist,
        library: Library,
        utilisation: float = UTILISATION,
        toggles: Mapping[int, float] | None = None,
    ) -> "Design":
        """A square design."""
        cells = abstract_cells(library, {placed.cell for placed in netlist.placed})
        total = sum(cells[placed.cell].sites for placed in netlist.placed) / utilisation
        rows = math.ceil(math.sqrt(total * SITE_NM / (TRACK_NM * ROW_TRACKS)))
        widest = max(cell.sites for cell in cells.values())
        sites = max(math.ceil(total / rows), widest + 1)
        pads = _pads(netlist, rows * ROW_TRACKS, sites)
        clocks = _clocks(netlist, library)
        return cls(name, netlist, cells, rows, sites, pads, clocks, toggles or {})

    def weight(self, net: int) -> float:
        """How much a micrometre of a net's wires counts in the placement."""
        if self.toggles:
            return STILL_WEIGHT + self.toggles.get(net, 0.0)
        return CLOCK_WEIGHT if net in self.clocks else 1.0

    @property
    def width(self) -> int:
        """Width of the outline in sites."""
        return self.sites + 2 * RING_SITES

    @property
    def height(self) -> int:
        """Height of the outline in tracks."""
        return (self.rows + 2 * RING_ROWS) * ROW_TRACKS

    @property
    def width_um(self) -> float:
        """Width of the outline."""
        return self.width * SITE_NM / 1000

    @property
    def height_um(self) -> float:
        """Height of the outline."""
        return self.height * TRACK_NM / 1000

    @cached_property
    def pins(self) -> Mapping[int, Sequence[tuple[int, str]]]:
        """For each net, its pins as (index of the placed cell, pin); constants are left out."""
        found: dict[int, list[tuple[int, str]]] = {}
        for index, placed in enumerate(self.netlist.placed):
            for pin, net in placed.pins.items():
                if net not in CONSTANT_NETS:
                    found.setdefault(net, []).append((index, pin))
        return found

    @cached_property
    def nets(self) -> tuple[int, ...]:
        """Nets with at least two ends, ascending."""
        ends = {net: len(pins) for net, pins in self.pins.items()}
        for pad in self.pads:
            ends[pad.net] = ends.get(pad.net, 0) + 1
        return tuple(sorted(net for net, count in ends.items() if count > 1))

    def corner(self, row: int, site: int) -> tuple[int, int]:
        """Site and track of the lower left corner of a site in a row of cells."""
        return site + RING_SITES, (row + RING_ROWS) * ROW_TRACKS

    def position(self, pad: Pad) -> tuple[int, int]:
        """Site and track of a pad."""
        return {
            "W": (0, pad.place),
            "E": (self.width, pad.place),
            "S": (pad.place, 0),
            "N": (pad.place, self.height),
        }[pad.side]


def _clocks(netlist: Netlist, library: Library) -> frozenset[int]:
    models = library.models(sorted({placed.cell for placed in netlist.placed}))
    stores = (CellKind.FLIPFLOP, CellKind.CLOCK_GATE)
    clocks = set()
    for placed in netlist.placed:
        model = models[placed.cell]
        if model.kind in stores and model.clock in placed.pins:
            clocks.add(placed.pins[model.clock])
    return frozenset(clocks - set(CONSTANT_NETS))


def _pads(netlist: Netlist, tracks: int, sites: int) -> tuple[Pad, ...]:
    """Pads of all ports: pairs first, then the rest between the places that are taken."""
    taken: dict[str, set[int]] = {side: set() for side in SIDES.values()}
    pads: list[Pad] = []
    paired = {port for pair in PAIRS for port in pair}
    ordered = [*(port for pair in PAIRS for port in pair), *sorted(set(netlist.ports) - paired)]
    rest = [port for port in ordered if port in netlist.ports and port not in paired]
    for port in (port for port in ordered if port in netlist.ports and port in paired):
        side, nets = SIDES[port], netlist.ports[port].nets
        begin, length = _along(side, tracks, sites)
        pads += _spread(nets, side, begin, length, taken[side], port)
    others = [(port, net) for port in rest for net in netlist.ports[port].nets]
    begin, length = _along("N", tracks, sites)
    pads += _spread([net for _, net in others], "N", begin, length, taken["N"], "north rest")
    return tuple(pad for pad in pads if pad.net not in CONSTANT_NETS)


def _along(side: str, tracks: int, sites: int) -> tuple[int, int]:
    """First place and number of places along a side of the rows."""
    return (RING_ROWS * ROW_TRACKS, tracks) if side in "WE" else (RING_SITES, sites)


def _spread(
    nets: Collection[int], side: str, begin: int, length: int, taken: set[int], group: str
) -> list[Pad]:
    """Pads at even distances, each at the next free place."""
    pads = []
    for index, net in enumerate(nets):
        place = begin + (2 * index + 1) * length // (2 * len(nets))
        while place in taken:
            place += 1
        taken.add(place)
        pads.append(Pad(net, side, place, group))
    return pads
