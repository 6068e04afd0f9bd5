"""Abstracts of the library's cells: outlines from their areas, and pins on routing tracks.

The cells have no drawn layout. An abstract has the area of its cell, in rows of 1.4 um as common at
45 nm, and one bar of metal 1 for each pin. Rows are ten horizontal tracks high and sites are one
vertical track wide, so that every pin lies on tracks wherever its cell is placed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from synth.errors import SynthesisError
from synth.liberty.library import Library

SITE_NM = 190
"""Width of a site and pitch of vertical tracks: metal 1, 3 and 5."""

TRACK_NM = 140
"""Pitch of horizontal tracks: metal 2 and 4."""

ROW_TRACKS = 10
"""Height of a row of cells, in horizontal tracks."""

WIRE_NM = 70
"""Width of wires, and of the cuts between layers."""

LAYERS = 5
"""Metal layers; the first holds pins only."""

BAR_TRACKS = (2, 8)
"""Tracks at which a pin's bar begins and ends; the rest is for the supply."""

SITE_UM2 = SITE_NM * TRACK_NM * ROW_TRACKS * 1e-6


def is_horizontal(layer: int) -> bool:
    """Direction of a layer's wires; the lowest layer is 1."""
    return layer % 2 == 0


@dataclass(frozen=True)
class AbstractCell:
    """Outline and pins of a cell.

    Attributes
    ----------
    name : in the library
    sites : its width
    inputs, outputs : site of each pin
    """

    name: str
    sites: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]

    def __post_init__(self) -> None:
        if self.sites < len(self.pins):
            raise SynthesisError(
                f"{self.name}: {len(self.pins)} pins do not fit into {self.sites} sites of"
                f" {SITE_NM} nm; use a library whose cells are larger"
            )

    @property
    def pins(self) -> Mapping[str, int]:
        """Site of each pin, inputs first."""
        return {**self.inputs, **self.outputs}


def abstract_cells(library: Library, names: Collection[str]) -> dict[str, AbstractCell]:
    """Abstracts of cells, with their pins spread evenly."""
    models = library.models(sorted(names))
    found = {}
    for name, model in models.items():
        sites = max(1, round(library.area_um2(name) / SITE_UM2))
        pins = [*model.inputs, *model.outputs]
        place = {pin: (2 * n + 1) * sites // (2 * len(pins)) for n, pin in enumerate(pins)}
        found[name] = AbstractCell(
            name,
            sites,
            {pin: place[pin] for pin in model.inputs},
            {pin: place[pin] for pin in model.outputs},
        )
    return found


def lef_text(cells: Collection[AbstractCell]) -> str:
    """Technology and abstracts as a LEF file."""
    lines = [
        "VERSION 5.8 ;",
        'BUSBITCHARS "[]" ;',
        'DIVIDERCHAR "/" ;',
        "UNITS DATABASE MICRONS 1000 ; END UNITS",
        "MANUFACTURINGGRID 0.005 ;",
    ]
    for layer in range(1, LAYERS + 1):
        lines += _layer(layer)
    for layer in range(1, LAYERS):
        lines += _via(layer)
    height_um = TRACK_NM * ROW_TRACKS / 1000
    lines += [
        "SITE core CLASS CORE ; SYMMETRY Y ;",
        f"  SIZE {SITE_NM / 1000} BY {height_um} ;",
        "END core",
    ]
    for cell in sorted(cells, key=lambda cell: cell.name):
        lines += _macro(cell)
    return "\n".join([*lines, "END LIBRARY", ""])


def _layer(layer: int) -> list[str]:
    horizontal = is_horizontal(layer)
    lines = [
        f"LAYER metal{layer}",
        "  TYPE ROUTING ;",
        f"  DIRECTION {'HORIZONTAL' if horizontal else 'VERTICAL'} ;",
        f"  PITCH {(TRACK_NM if horizontal else SITE_NM) / 1000} ;",
        f"  WIDTH {WIRE_NM / 1000} ;",
        f"END metal{layer}",
    ]
    if layer < LAYERS:
        lines += [f"LAYER via{layer}", "  TYPE CUT ;", f"END via{layer}"]
    return lines


def _via(layer: int) -> list[str]:
    half = WIRE_NM / 2000
    lines = [f"VIA {via_name(layer)} DEFAULT"]
    parts = (f"metal{layer}", f"via{layer}", f"metal{layer + 1}")
    lines += [f"  LAYER {part} ; RECT -{half} -{half} {half} {half} ;" for part in parts]
    return [*lines, f"END {via_name(layer)}"]


def via_name(layer: int) -> str:
    """Name of the via from a layer to the next."""
    return f"via{layer}_{layer + 1}"


def _macro(cell: AbstractCell) -> list[str]:
    height = TRACK_NM * ROW_TRACKS / 1000
    low, high = (TRACK_NM * track / 1000 for track in BAR_TRACKS)
    lines = [
        f"MACRO {cell.name}",
        "  CLASS CORE ; ORIGIN 0 0 ; SITE core ; SYMMETRY X Y ;",
        f"  SIZE {cell.sites * SITE_NM / 1000:.3f} BY {height} ;",
    ]
    for pin, site in cell.pins.items():
        x = site * SITE_NM / 1000
        half = WIRE_NM / 2000
        lines += [
            f"  PIN {pin} DIRECTION {'INPUT' if pin in cell.inputs else 'OUTPUT'} ;",
            f"    PORT LAYER metal1 ; RECT {x - half:.3f} {low} {x + half:.3f} {high} ; END",
            f"  END {pin}",
        ]
    return [*lines, f"END {cell.name}"]
