"""Routes a placed design with Coriolis, and checks the result by its geometry alone."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qcnpe.spec.documents import read_document
from qcnpe.tools.extras import require_modules
from qcnpe.tools.process import run
from synth.errors import SynthesisError
from synth.layout.abstract import BAR_TRACKS, LAYERS, ROW_TRACKS, SITE_NM, TRACK_NM, WIRE_NM
from synth.layout.design import Design
from synth.layout.placement import Placement
from synth.netlist import CONSTANT_NETS

_PROCESS = Path(__file__).with_name("coriolis_process.py")
_LIMIT_S = 1800
_SIDES = {"W": "WEST", "E": "EAST", "N": "NORTH", "S": "SOUTH"}
_LIMIT_BYTES = 256 << 20

Point = tuple[int, int, int]
"""Layer, site and track."""


@dataclass(frozen=True)
class Wire:
    """A straight wire on a layer, between two points in sites and tracks."""

    layer: int
    begin: tuple[int, int]
    end: tuple[int, int]

    @property
    def points(self) -> list[Point]:
        """All crossings of tracks under the wire."""
        (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(self.begin, self.end, strict=True))
        return [(self.layer, x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)]


@dataclass(frozen=True)
class Route:
    """Wires of a net, and its vias: lower layer, site and track."""

    wires: tuple[Wire, ...]
    vias: tuple[Point, ...]

    @cached_property
    def points(self) -> frozenset[Point]:
        """All crossings of tracks that the net covers."""
        ends = {(layer + up, x, y) for layer, x, y in self.vias for up in (0, 1)}
        return frozenset(ends.union(*(wire.points for wire in self.wires)))

    @property
    def length_um(self) -> float:
        """Length of the wires; where two cover each other on a layer, they count once."""
        steps = set()
        for wire in self.wires:
            points = sorted(wire.points)
            steps |= set(pairwise(points))
        across = sum(low[1] != high[1] for low, high in steps)
        return (across * SITE_NM + (len(steps) - across) * TRACK_NM) / 1000


@dataclass(frozen=True)
class Routing:
    """A routed design: the route of each net, by its number."""

    placement: Placement
    routes: Mapping[int, Route]

    @property
    def design(self) -> Design:
        """The design, with its pads at their places."""
        return self.placement.design

    def length_um(self, net: int) -> float:
        """Length of a net's wires; nets without a route have none."""
        return self.routes[net].length_um if net in self.routes else 0.0

    @property
    def failed_nets(self) -> tuple[int, ...]:
        """Nets that do not connect all their ends, or that touch another net."""
        ends = self._ends()
        owners: dict[Point, int] = {}
        failed = set()
        for net in self.design.nets:
            route = self.routes.get(net)
            bars = ends[net]
            if route is None or not _connects(route, bars):
                failed.add(net)
            points = set(route.points if route else ()).union(*bars)
            touched = {owners.setdefault(point, net) for point in points} - {net}
            failed |= {net, *touched} if touched else set()
        return tuple(sorted(failed))

    def _ends(self) -> dict[int, list[frozenset[Point]]]:
        """For each net, the points that each of its pins and pads covers."""
        design = self.design
        ends: dict[int, list[frozenset[Point]]] = {net: [] for net in design.nets}
        low, high = BAR_TRACKS
        for net in design.nets:
            for index, pin in design.pins.get(net, ()):
                row, first = self.placement.places[index]
                site = first + design.cells[design.netlist.placed[index].cell].pins[pin]
                x, y = design.corner(row, site)
                bar = frozenset((1, x, y + track) for track in range(low, high + 1))
                ends[net].append(bar)
        for pad in design.pads:
            if pad.net in ends:
                ends[pad.net].append(frozenset([(pad_layer(pad.side), *design.position(pad))]))
        return ends


def pad_layer(side: str) -> int:
    """Layer of the pads of a side: the lowest whose wires can leave there."""
    return 2 if side in "WE" else 3


def _connects(route: Route, ends: Iterable[frozenset[Point]]) -> bool:
    """Whether wires and vias connect all ends; each end is one piece of metal."""
    parent: dict[Point, Point] = {}

    def root(point: Point) -> Point:
        parent.setdefault(point, point)
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    pieces = [wire.points for wire in route.wires]
    pieces += [[(layer, x, y), (layer + 1, x, y)] for layer, x, y in route.vias]
    bars = [sorted(end) for end in ends]
    for piece in (*pieces, *bars):
        for point in piece[1:]:
            parent[root(point)] = root(piece[0])
    return len({root(bar[0]) for bar in bars}) == 1


def route(placement: Placement) -> Routing:
    """Route a placed design.

    Raises
    ------
    ToolMissingError
        If the router is not installed.
    ToolError
        If it stops.
    SynthesisError
        If a wire is off the tracks.
    """
    require_modules("coriolis")
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / "design.json").write_text(json.dumps(_job(placement)))
        command: list[str | Path] = [sys.executable, _PROCESS, "design.json", "routes.json"]
        run("Coriolis", command, folder, limit_s=_LIMIT_S)
        found = read_document(folder / "routes.json", dict[int, _Net], limit_bytes=_LIMIT_BYTES)
    return Routing(placement, {net: _route(net, parts) for net, parts in found.items()})


@dataclass(frozen=True, kw_only=True)
class _Net:
    """Wires and vias of a net as the process writes them, in nm."""

    wires: list[tuple[int, int, int, int, int]]
    vias: list[Point]


def _route(net: int, parts: _Net) -> Route:
    wires = tuple(
        Wire(layer, _on_tracks(net, x0, y0), _on_tracks(net, x1, y1))
        for layer, x0, y0, x1, y1 in parts.wires
    )
    return Route(wires, tuple((layer, *_on_tracks(net, x, y)) for layer, x, y in parts.vias))


def _on_tracks(net: int, x_nm: int, y_nm: int) -> tuple[int, int]:
    if x_nm % SITE_NM or y_nm % TRACK_NM:
        raise SynthesisError(f"net {net}: ({x_nm}, {y_nm}) nm is not on a track")
    return x_nm // SITE_NM, y_nm // TRACK_NM


def _job(placement: Placement) -> dict[str, Any]:
    """The design as the process reads it, in nm."""
    design = placement.design
    low, high = (TRACK_NM * track for track in BAR_TRACKS)
    cells = {
        name: {
            "width": cell.sites * SITE_NM,
            "pins": {
                pin: (site * SITE_NM, low, high, "IN" if pin in cell.inputs else "OUT")
                for pin, site in cell.pins.items()
            },
        }
        for name, cell in design.cells.items()
    }
    pads = []
    driven = {
        net
        for port in design.netlist.ports.values()
        if port.direction == "input"
        for net in port.nets
    }
    for pad in design.pads:
        x, y = design.position(pad)
        direction = "IN" if pad.net in driven else "OUT"
        place = (x * SITE_NM, y * TRACK_NM, _SIDES[pad.side], direction)
        pads.append((pad.net, pad_layer(pad.side), *place))
    return {
        "layers": LAYERS,
        "wire": WIRE_NM,
        "site": SITE_NM,
        "track": TRACK_NM,
        "row": TRACK_NM * ROW_TRACKS,
        "width": design.width * SITE_NM,
        "height": design.height * TRACK_NM,
        "cells": cells,
        "nets": sorted({*design.pins, *(pad.net for pad in design.pads)}),
        "placed": _placed(placement),
        "pads": pads,
    }


def _placed(placement: Placement) -> list[tuple[str, int, int, bool, dict[str, int]]]:
    """Cell, place, whether it is flipped, and nets; a flipped cell is given by its upper edge."""
    found = []
    design = placement.design
    for cell, (row, site) in zip(design.netlist.placed, placement.places, strict=True):
        flipped = row % 2 == 1
        x, y = design.corner(row + flipped, site)
        nets = {pin: net for pin, net in cell.pins.items() if net not in CONSTANT_NETS}
        found.append((cell.cell, x * SITE_NM, y * TRACK_NM, flipped, nets))
    return found
