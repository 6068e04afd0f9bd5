"""A process that routes one placed design with Coriolis; see `synth.layout.routing`.

It is started as a file and imports nothing but Coriolis, whose database is global to a process.
Arguments: the design and the routes, both JSON. Places are in nm.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from coriolis import CRL, Anabatic, Cfg, Katana
from coriolis.CRL import AllianceFramework, CellGauge, RoutingGauge, RoutingLayerGauge
from coriolis.helpers.overlay import CfgCache, UpdateSession
from coriolis.helpers.technology import createBL, createVia, setEnclosures
from coriolis.Hurricane import (
    BasicLayer,
    Box,
    Cell,
    Contact,
    DataBase,
    DbU,
    Horizontal,
    Instance,
    Library,
    Net,
    NetExternalComponents,
    Pin,
    Technology,
    Transformation,
    Vertical,
)

NAME = "axnn"
_GRID_NM = 5
_OTHER_LAYERS = {
    "text.cell": "other",
    "text.instance": "other",
    "SPL1": "other",
    "AutoLayer": "other",
    "gmetalh": "metal",
    "gcontact": "cut",
    "gmetalv": "metal",
}
"""Layers that Coriolis needs by name for itself."""

Job = dict[str, Any]


def unit(length_nm: int) -> int:
    """A length as Coriolis stores it."""
    return int(DbU.fromGrid(length_nm / _GRID_NM))


def nm(length: int) -> int:
    """A length from Coriolis."""
    return round(DbU.toGrid(length) * _GRID_NM)


def set_up_technology(job: Job) -> list[Any]:
    """Metal layers with the cuts between them.

    The router expects a layer above the highest that it uses.
    """
    database = DataBase.create()
    CRL.System.get()
    technology = Technology.create(database, NAME)
    DbU.setPrecision(3)
    DbU.setPhysicalsPerGrid(_GRID_NM / 1000, DbU.UnitPowerMicro)
    DbU.setGridsPerLambda(10)
    DbU.setSymbolicSnapGridStep(DbU.fromGrid(1.0))
    DbU.setPolygonStep(DbU.fromGrid(1.0))
    DbU.setStringMode(DbU.StringModePhysical, DbU.UnitPowerMicro)
    kinds = BasicLayer.Material
    wire, metals = unit(job["wire"]), []
    for number in range(1, job["layers"] + 2):
        blockage = createBL(technology, f"blockage{number}", kinds.blockage)
        metal = createBL(technology, f"metal{number}", kinds.metal, size=wire, spacing=wire)
        metal.setBlockageLayer(blockage)
        metals.append(metal)
        createBL(technology, f"via{number}", kinds.cut, size=wire)  # the order is that of the stack
    for number, (low, high) in enumerate(pairwise(metals), 1):
        names = (f"metal{number}", f"via{number}", f"metal{number + 1}")
        via = createVia(technology, f"VIA{number}{number + 1}", *names, wire)
        setEnclosures(via, low, 0)
        setEnclosures(via, high, 0)
    for name, kind in _OTHER_LAYERS.items():
        createBL(technology, name, getattr(kinds, kind))
    return metals[:-1]


def set_up_tracks(job: Job, metals: list[Any]) -> None:
    """Tracks of each layer, and the router's parameters."""
    framework = AllianceFramework.get()
    gauge = RoutingGauge.create(NAME)
    gauge.setSymbolic(False)
    wire, site, track = unit(job["wire"]), unit(job["site"]), unit(job["track"])
    for depth, metal in enumerate(metals):
        across = depth % 2 == 1
        direction = RoutingLayerGauge.Horizontal if across else RoutingLayerGauge.Vertical
        use = RoutingLayerGauge.Default if depth else RoutingLayerGauge.PinOnly
        pitch = track if across else site
        gauge.addLayerGauge(
            RoutingLayerGauge.create(
                metal, direction, use, depth, 0.0, 0, pitch, wire, wire, wire, 0
            )
        )
    framework.addRoutingGauge(gauge)
    framework.setRoutingGauge(NAME)
    framework.addCellGauge(CellGauge.create(NAME, "metal1", site, unit(job["row"]), site))
    framework.setCellGauge(NAME)
    with CfgCache(priority=Cfg.Parameter.Priority.ConfigurationFile) as values:
        set_parameters(values, f"metal{len(metals)}")


def set_parameters(values: Any, top: str) -> None:
    """Parameters as in the router's own kits for two-dimensional gauges."""
    values.crlcore.groundName, values.crlcore.powerName = "vss", "vdd"
    anabatic, katana = values.anabatic, values.katana
    anabatic.routingGauge = anabatic.cellGauge = NAME
    anabatic.topRoutingLayer = top
    anabatic.globalLengthThreshold = 1450
    anabatic.saturateRatio, anabatic.saturateRp = 0.9, 10
    anabatic.edgeLength, anabatic.edgeWidth = 48, 8
    anabatic.edgeCostH, anabatic.edgeCostK = 9.0, -10.0
    anabatic.edgeHInc, anabatic.edgeHScaling = 1.0, 1.0
    anabatic.globalIterations = 10
    anabatic.gcell.displayMode = 1
    anabatic.netBuilderStyle = "HV,3RL+"
    anabatic.routingStyle = Anabatic.StyleFlags.HV
    katana.disableStackedVias = False
    katana.hTracksReservedLocal = katana.vTracksReservedLocal = 3
    katana.termSatReservedLocal, katana.termSatThreshold = 8, 9
    katana.eventsLimit = 4000002
    katana.ripupCost, katana.strapRipupLimit = 3, 16
    katana.localRipupLimit = 9
    katana.globalRipupLimit = katana.longGlobalRipupLimit = 5


def make_cells(job: Job, metals: list[Any]) -> dict[str, Any]:
    """Abstracts of the library's cells."""
    framework, masters = AllianceFramework.get(), {}
    library = Library.create(DataBase.getDB().getRootLibrary(), "cells")
    framework.wrapLibrary(library, 0)
    wire, row = unit(job["wire"]), unit(job["row"])
    for name, abstract in job["cells"].items():
        cell = Cell.create(library, name)
        width = unit(abstract["width"])
        cell.setAbutmentBox(Box(0, 0, width, row))
        cell.setTerminalNetlist(True)
        for pin, (x, low, high, direction) in abstract["pins"].items():
            net = Net.create(cell, pin)
            net.setExternal(True)
            net.setDirection(getattr(Net.Direction, direction))
            bar = Vertical.create(net, metals[0], unit(x), wire, unit(low), unit(high))
            NetExternalComponents.setExternal(bar)
        for supply, y, kind in (("vdd", row, Net.Type.POWER), ("vss", 0, Net.Type.GROUND)):
            net = Net.create(cell, supply)
            net.setExternal(True)
            net.setGlobal(True)
            net.setType(kind)
            NetExternalComponents.setExternal(
                Horizontal.create(net, metals[0], y, 2 * wire, 0, width)
            )
        masters[name] = cell
    return masters


def make_top(job: Job, masters: dict[str, Any], metals: list[Any]) -> Any:
    """The placed design."""
    library = Library.create(DataBase.getDB().getRootLibrary(), "work")
    AllianceFramework.get().wrapLibrary(library, 1)
    top = Cell.create(library, "top")
    top.setAbutmentBox(Box(0, 0, unit(job["width"]), unit(job["height"])))
    for supply, kind in (("vdd", Net.Type.POWER), ("vss", Net.Type.GROUND)):
        net = Net.create(top, supply)
        net.setExternal(True)
        net.setGlobal(True)
        net.setType(kind)
    nets = {number: Net.create(top, f"n{number}") for number in job["nets"]}
    turns = Transformation.Orientation
    for index, (kind, x, y, is_flipped, pins) in enumerate(job["placed"]):
        instance = Instance.create(top, f"u{index}", masters[kind])
        for pin, number in pins.items():
            instance.getPlug(masters[kind].getNet(pin)).setNet(nets[number])
        place = Transformation(unit(x), unit(y), turns.MY if is_flipped else turns.ID)
        instance.setTransformation(place)
        instance.setPlacementStatus(Instance.PlacementStatus.PLACED)
    for index, (number, layer, x, y, side, direction) in enumerate(job["pads"]):
        nets[number].setDirection(getattr(Net.Direction, direction))
        make_pad(nets[number], f"pad.{index}", metals[layer - 1], (x, y), side, job["wire"])
    return top


def make_pad(net: Any, name: str, metal: Any, at: tuple[int, int], side: str, wire: int) -> None:
    """A port of the design on its edge."""
    net.setExternal(True)
    x, y = (unit(place) for place in at)
    fixed = Pin.PlacementStatus.FIXED
    direction = getattr(Pin.Direction, side)
    pin = Pin.create(net, name, direction, fixed, metal, x, y, unit(wire), unit(wire))
    NetExternalComponents.setExternal(pin)


def route(top: Any) -> None:
    """Global and detailed routing."""
    top.flattenNets(None, [], Cell.Flags_NoClockFlatten)
    router = Katana.KatanaEngine.create(top)
    router.digitalInit()
    router.runGlobalRouter(Katana.Flags.NoFlags)
    router.loadGlobalRouting(Anabatic.EngineLoadGrByNet)
    router.layerAssign(Anabatic.EngineNoNetLayerAssign)
    router.runNegociate(Katana.Flags.NoFlags)
    router.finalizeLayout()
    router.destroy()


def routes(top: Any) -> dict[str, dict[str, list[list[int]]]]:
    """Wires (layer and ends) and vias (lower layer and place) of each net."""
    found: dict[str, dict[str, list[list[int]]]] = {}
    for net in top.getNets():
        if not net.getName().startswith("n"):
            continue
        wires, vias = [], []
        for part in net.getComponents():
            if isinstance(part, Horizontal | Vertical):
                ends = (part.getSourceX(), part.getSourceY(), part.getTargetX(), part.getTargetY())
                layer = part.getLayer().getName().removeprefix("metal")
                wires.append([int(layer), *(nm(end) for end in ends)])
            elif isinstance(part, Contact) and part.getLayer().getName().startswith("VIA"):
                vias.append([int(part.getLayer().getName()[3]), nm(part.getX()), nm(part.getY())])
        found[net.getName()[1:]] = {"wires": wires, "vias": vias}
    return found


def main() -> None:
    """Route the design that the first argument names."""
    job = json.loads(Path(sys.argv[1]).read_text())
    with UpdateSession():
        metals = set_up_technology(job)
        set_up_tracks(job, metals)
    with UpdateSession():
        masters = make_cells(job, metals)
        top = make_top(job, masters, metals)
    route(top)
    Path(sys.argv[2]).write_text(json.dumps(routes(top)))


if __name__ == "__main__":
    main()
