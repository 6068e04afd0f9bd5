"""Lengths of the wires between the units of an engine: a model from its floorplan.

Each unit has a place at the grid of neural compute units (NCUs), and a net between units is as long
as half the perimeter around them. NCUs abut. A gate of a row's ORs is beside the easternmost NCU
that it reads: so a bit travels from its NCU to the row's end on the shortest way, and no other part
of the row toggles. Queues, skew and sequencer are along the sides that they feed, without wires of
their own.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

from synth.assembly import Assembly
from synth.floorplan import Floorplan
from synth.liberty.models import CellModel
from synth.netlist import CONSTANT_NETS, Netlist

_Point = tuple[float, float]

_NCU = re.compile(r"array\.row_(\d+)\.ncu_(\d+)")
_IN_ROW = re.compile(r"ncu_(\d+)")
_EASTWARDS = ("result", "done", "east")
"""Outputs of an NCU to its row."""

_COMPLEMENT = re.compile(r"array\.row_(\d+)\.complement")
_REVERSE = re.compile(r"array\.row_(\d+)\.reverse_(\d+)")
_AT_ROWS_END = re.compile(r"(?:array\.row|afu|collector\..*?)_(\d+)(?!.*ncu_)")
_ROW = re.compile(r"array\.row_(\d+)")
_COLLECTOR = re.compile(r"collector")


def lengths_um(
    assembly: Assembly, floorplan: Floorplan, models: Mapping[str, CellModel]
) -> dict[int, float]:
    """Length by net of the engine, without the wires inside units.

    Parameters
    ----------
    assembly : the engine
    floorplan : of its NCUs
    models : its cells
    """
    points: dict[int, set[_Point]] = defaultdict(set)
    from_others: set[int] = set()
    lengths: dict[int, float] = defaultdict(float)
    for place in assembly.places:
        path, netlist = ".".join(place.path), assembly.units[place.unit]
        if found := _ROW.fullmatch(path):
            row = (int(found[1]) + 0.5) * floorplan.ncu_height_um
            for cell, column in zip(netlist.placed, _columns(netlist, models), strict=True):
                at = (column + 0.5) * floorplan.ncu_width_um, row
                for net in cell.pins.values():
                    points[place.nets[net]].add(at)
                    from_others.add(place.nets[net])
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


def _columns(row: Netlist, models: Mapping[str, CellModel]) -> list[int]:
    """The column of each cell of a row: the easternmost one from which it is fed."""
    feeds: dict[int, int] = {}
    for inner in row.instances:
        if found := _IN_ROW.fullmatch(inner.name):
            nets = (net for pin in _EASTWARDS for net in inner.pins.get(pin, ()))
            feeds |= dict.fromkeys(nets, int(found[1]))
    columns = [0] * len(row.placed)
    is_moving = True
    while is_moving:
        is_moving = False
        for index, cell in enumerate(row.placed):
            outputs = models[cell.cell].outputs
            fed = (feeds.get(net, 0) for pin, net in cell.pins.items() if pin not in outputs)
            column = max(fed, default=0)
            is_moving |= column > columns[index]
            columns[index] = column
            feeds |= {cell.pins[pin]: column for pin in outputs if pin in cell.pins}
    return columns


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
