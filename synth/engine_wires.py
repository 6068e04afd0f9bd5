"""Lengths of the wires between the units of an engine: a model from its floorplan.

Each unit has a place at the grid of neural compute units (NCUs), and a net between units is as long
as half the perimeter around them. NCUs abut. The ORs of a row are spread along it. Queues, skew and
sequencer are along the sides that they feed, without wires of their own.
"""

import re
from collections import defaultdict

from synth.assembly import Assembly
from synth.floorplan import Floorplan
from synth.netlist import CONSTANT_NETS

_Point = tuple[float, float]

_NCU = re.compile(r"array\.row_(\d+)\.ncu_(\d+)")
_COMPLEMENT = re.compile(r"array\.row_(\d+)\.complement")
_REVERSE = re.compile(r"array\.row_(\d+)\.reverse_(\d+)")
_AT_ROWS_END = re.compile(r"(?:array\.row|afu|collector\..*?)_(\d+)(?!.*ncu_)")
_ROW = re.compile(r"array\.row_\d+")
_COLLECTOR = re.compile(r"collector")


def lengths_um(assembly: Assembly, floorplan: Floorplan) -> dict[int, float]:
    """Length by net of the engine, without the wires inside units."""
    points: dict[int, set[_Point]] = defaultdict(set)
    from_others: set[int] = set()
    lengths: dict[int, float] = defaultdict(float)
    for place in assembly.places:
        path, netlist = ".".join(place.path), assembly.units[place.unit]
        if _ROW.fullmatch(path):
            driven = (net for cell in netlist.placed for net in cell.pins.values())
            for net in {place.nets[net] for net in driven}:
                lengths[net] += floorplan.ncu_width_um
        point = _point(path, floorplan)
        if point is None:
            continue
        ports = {place.nets[net] for port in netlist.ports.values() for net in port.nets}
        from_others |= ports if not _NCU.match(path) else set()
        for net in ports:
            points[net].add(point)
    for net in from_others - _without_wires(assembly):
        across, down = zip(*points[net], strict=True)
        lengths[net] += max(across) - min(across) + max(down) - min(down)
    return lengths


def _without_wires(assembly: Assembly) -> set[int]:
    """Constants, which have no wire; clock and reset, whose tree is no part of the model."""
    ports = assembly.netlist.ports
    return {
        *CONSTANT_NETS,
        *(net for name in ("clk", "rst") if name in ports for net in ports[name].nets),
    }


def _point(path: str, floorplan: Floorplan) -> _Point | None:
    """Place of a unit in um from the grid's north-western corner; None if it has none."""
    width, height = floorplan.ncu_width_um, floorplan.ncu_height_um
    if found := _NCU.match(path):
        return (int(found[2]) + 0.5) * width, (int(found[1]) + 0.5) * height
    if found := _REVERSE.match(path):
        return (int(found[2]) + 0.5) * width, 0.0
    if found := _COMPLEMENT.match(path):
        return 0.0, (int(found[1]) + 0.5) * height
    if _ROW.fullmatch(path):
        return None
    if found := _AT_ROWS_END.match(path):
        return floorplan.width_um, (int(found[1]) + 0.5) * height
    if _COLLECTOR.match(path):
        return floorplan.width_um, floorplan.height_um / 2
    return None
