"""A routed design as DEF, and as GDS and a picture, which KLayout makes of LEF and DEF."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qcnpe.spec.files import replace_file
from qcnpe.tools.extras import require_modules
from synth.layout.abstract import SITE_NM, TRACK_NM, WIRE_NM, via_name
from synth.layout.design import Pad
from synth.layout.routing import Route, Routing, pad_layer

PICTURE_PIXELS = 900

_COLOURS = (0x888888, 0x4477AA, 0xCC6677, 0x228833, 0xCCBB44)
"""Of the metal layers, the lowest first."""

_GREY = 0xAAAAAA
_SOLID, _HOLLOW = 0, 1
"""Numbers of KLayout's fill patterns."""

_VIEW = {
    "background-color": "#ffffff",
    "grid-visible": "false",
    "text-visible": "false",
    "min-inst-label-size": "100000",
}


def def_text(routing: Routing) -> str:
    """The design as a DEF file."""
    design = routing.design
    width, height = design.width * SITE_NM, design.height * TRACK_NM
    lines = [
        "VERSION 5.8 ;",
        'DIVIDERCHAR "/" ;',
        'BUSBITCHARS "[]" ;',
        f"DESIGN {design.name} ;",
        "UNITS DISTANCE MICRONS 1000 ;",
        f"DIEAREA ( 0 0 ) ( {width} {height} ) ;",
        *_rows(routing),
        f"COMPONENTS {len(design.netlist.placed)} ;",
        *_components(routing),
        "END COMPONENTS",
        f"PINS {len(design.pads)} ;",
        *(_pin(routing, index, pad) for index, pad in enumerate(design.pads)),
        "END PINS",
        f"NETS {len(design.nets)} ;",
    ]
    for net in design.nets:
        lines += _net(routing, net)
    return "\n".join([*lines, "END NETS", "END DESIGN", ""])


def _rows(routing: Routing) -> Iterator[str]:
    design = routing.design
    for row in range(design.rows):
        place = f"{_in_nm(design.corner(row, 0))} {_turn(row)}"
        yield f"ROW row_{row} core {place} DO {design.sites} BY 1 STEP {SITE_NM} 0 ;"


def _components(routing: Routing) -> Iterator[str]:
    design = routing.design
    for index, (row, site) in enumerate(routing.placement.places):
        kind = design.netlist.placed[index].cell
        place = _in_nm(design.corner(row, site))
        yield f"- u{index} {kind} + PLACED ( {place} ) {_turn(row)} ;"


def _in_nm(place: tuple[int, int]) -> str:
    """Site and track in nm."""
    site, track = place
    return f"{site * SITE_NM} {track * TRACK_NM}"


def _turn(row: int) -> str:
    """Orientation of the cells of a row: every second row is flipped."""
    return "FS" if row % 2 else "N"


def _pin(routing: Routing, index: int, pad: Pad) -> str:
    half = WIRE_NM // 2
    return (
        f"- pad_{index} + NET n{pad.net} + LAYER metal{pad_layer(pad.side)}"
        f" ( -{half} -{half} ) ( {half} {half} )"
        f" + PLACED ( {_in_nm(routing.design.position(pad))} ) N ;"
    )


def _net(routing: Routing, net: int) -> Iterator[str]:
    design = routing.design
    yield f"- n{net}"
    for index, pad in enumerate(design.pads):
        if pad.net == net:
            yield f"  ( PIN pad_{index} )"
    for index, pin in design.pins.get(net, ()):
        yield f"  ( u{index} {pin} )"
    word = "+ ROUTED"
    for path in _paths(routing.routes.get(net, Route((), ()))):
        yield f"  {word} {path}"
        word = "NEW"
    yield "  ;"


def _paths(route: Route) -> Iterator[str]:
    for wire in route.wires:
        if wire.begin != wire.end:
            yield f"metal{wire.layer} ( {_in_nm(wire.begin)} ) ( {_in_nm(wire.end)} )"
    for layer, x, y in route.vias:
        yield f"metal{layer} ( {_in_nm((x, y))} ) {via_name(layer)}"


def write_gds(lef: Path, design: Path, gds: Path, picture: Path) -> None:
    """Write GDS and a picture of a DEF file.

    Raises
    ------
    ToolMissingError
        If KLayout is missing.
    """
    require_modules("klayout")
    import klayout.db
    import klayout.lay

    options = klayout.db.LoadLayoutOptions()
    options.lefdef_config.lef_files = [str(lef.absolute())]
    options.lefdef_config.read_lef_with_def = False
    layout = klayout.db.Layout()
    layout.read(str(design), options)
    replace_file(gds, lambda temporary: _write_gds(layout, temporary))
    view = klayout.lay.LayoutView()
    view.show_layout(layout, True)
    view.max_hier()
    for key, value in _VIEW.items():
        view.set_config(key, value)
    _colour(view)
    view.zoom_fit()
    view.save_image(str(picture.with_suffix(".new.png")), PICTURE_PIXELS, PICTURE_PIXELS)
    picture.with_suffix(".new.png").replace(picture)


def _write_gds(layout: Any, path: Path) -> None:
    import klayout.db

    options = klayout.db.SaveLayoutOptions()
    options.format = "GDS2"
    options.gds2_write_timestamps = False
    layout.write(str(path), options)


def _colour(view: Any) -> None:
    """Wires in the colours of their layers, pins and outlines of cells in grey."""
    for layer in view.each_layer():
        name, _, part = str(layer.source_name).partition(".")
        layer.visible = part != "LABEL" and not name.startswith("via")
        metal = int(name.removeprefix("metal")) if name.startswith("metal") else 0
        colour = _COLOURS[metal - 1] if metal and not part else _GREY
        layer.fill_color = layer.frame_color = colour
        layer.dither_pattern = _SOLID if metal else _HOLLOW
        layer.width = 1
