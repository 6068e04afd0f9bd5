"""A routed design as DEF, and as GDS and a picture, which KLayout makes of LEF and DEF."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qcnpe.spec.files import replace_file
from qcnpe.tools.extras import require_modules
from synth.layout.abstract import ROW_TRACKS, SITE_NM, TRACK_NM, WIRE_NM, via_name
from synth.layout.design import RING_ROWS, RING_SITES, Pad
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
    design, x = routing.design, RING_SITES * SITE_NM
    for row in range(design.rows):
        y = (row + RING_ROWS) * ROW_TRACKS * TRACK_NM
        turn = "FS" if row % 2 else "N"
        yield f"ROW row_{row} core {x} {y} {turn} DO {design.sites} BY 1 STEP {SITE_NM} 0 ;"


def _components(routing: Routing) -> Iterator[str]:
    placement = routing.placement
    for index, (row, site) in enumerate(placement.places):
        kind = placement.design.netlist.placed[index].cell
        x = (site + RING_SITES) * SITE_NM
        y = (row + RING_ROWS) * ROW_TRACKS * TRACK_NM
        yield f"- u{index} {kind} + PLACED ( {x} {y} ) {'FS' if row % 2 else 'N'} ;"


def _pin(routing: Routing, index: int, pad: Pad) -> str:
    x, y = routing.design.position(pad)
    half = WIRE_NM // 2
    return (
        f"- pad_{index} + NET n{pad.net} + LAYER metal{pad_layer(pad.side)}"
        f" ( -{half} -{half} ) ( {half} {half} ) + PLACED ( {x * SITE_NM} {y * TRACK_NM} ) N ;"
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
            ends = (f"( {x * SITE_NM} {y * TRACK_NM} )" for x, y in (wire.begin, wire.end))
            yield f"metal{wire.layer} {' '.join(ends)}"
    for layer, x, y in route.vias:
        yield f"metal{layer} ( {x * SITE_NM} {y * TRACK_NM} ) {via_name(layer)}"


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
