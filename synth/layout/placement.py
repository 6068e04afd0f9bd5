"""Places a design's cells in rows, and its pads along the edges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.tools.process import run
from synth.errors import SynthesisError
from synth.layout.abstract import ROW_TRACKS, SITE_NM, TRACK_NM
from synth.layout.design import PAIRS, RING_ROWS, RING_SITES, SIDES, Design, Pad
from synth.programs import built

MOVES = 100_000_000
"""Moves of the annealing: about 20 s for an NCU."""

_ROW_UM = TRACK_NM * ROW_TRACKS / 1000
_SITE_UM = SITE_NM / 1000
_LIMIT_S = 1800
_OPPOSITE = {SIDES[a]: SIDES[b] for pair in PAIRS for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Placement:
    """A placed design.

    Attributes
    ----------
    design : with the pads at their final places
    places : (row, first site) of each placed cell, without the ring
    """

    design: Design
    places: tuple[tuple[int, int], ...]


def place(design: Design, seed: int, moves: int = MOVES) -> Placement:
    """Place a design by simulated annealing.

    Raises
    ------
    SynthesisError
        If the result is no legal placement.
    ToolError
        If the placer cannot be built or fails.
    """
    program = built(Path(__file__).with_name("place.cpp"))
    text = "\n".join(_lines(design, seed, moves)) + "\n"
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / "design").write_text(text)
        output = run("placement", [program, "design"], folder, limit_s=_LIMIT_S).stdout
    lines = [line.split() for line in output.splitlines()]
    count = len(design.netlist.placed)
    places = tuple((int(row), int(site)) for row, site in lines[:count])
    pads = tuple(
        _moved(pad, float(x), float(y))
        for pad, (x, y) in zip(design.pads, lines[count:], strict=True)
    )
    placement = Placement(replace(design, pads=pads), places)
    check_legal(placement)
    return placement


def check_legal(placement: Placement) -> None:
    """Check that all cells are inside of rows and no two overlap; else `SynthesisError`."""
    design = placement.design
    taken: set[tuple[int, int]] = set()
    for placed, (row, site) in zip(design.netlist.placed, placement.places, strict=True):
        width = design.cells[placed.cell].sites
        sites = {(row, site + step) for step in range(width)}
        if not 0 <= row < design.rows or not 0 <= site <= design.sites - width:
            raise SynthesisError(f"{design.name}: {placed.name} is placed outside of the rows")
        if not taken.isdisjoint(sites):
            raise SynthesisError(f"{design.name}: {placed.name} overlaps another cell")
        taken |= sites


def _lines(design: Design, seed: int, moves: int) -> list[str]:
    """The placer's input."""
    placed = design.netlist.placed
    sizes = (len(placed), len(design.pads), len(design.nets))
    counts = " ".join(str(size) for size in sizes)
    lines = [f"{design.rows} {design.sites} {moves} {seed} {_ROW_UM} {_SITE_UM} {counts}"]
    lines += [str(design.cells[cell.cell].sites) for cell in placed]
    groups = {group: n for n, group in enumerate(dict.fromkeys(p.group for p in design.pads))}
    mates = _mates(design.pads)
    ends: dict[int, list[str]] = {}
    for index, pad in enumerate(design.pads):
        x, y = _pad_um(design, pad)
        lines.append(f"{x:.4f} {y:.4f} {groups[pad.group]} {mates[index]}")
        ends.setdefault(pad.net, []).append(f"{-1 - index} 0")
    for net in design.nets:
        pins = [
            f"{index} {design.cells[placed[index].cell].pins[pin]}"
            for index, pin in design.pins.get(net, ())
        ]
        pins += ends.get(net, [])
        lines.append(f"{design.weight(net):.4f} {len(pins)} {' '.join(pins)}")
    return lines


def _mates(pads: Sequence[Pad]) -> list[int]:
    """For each pad, the index of the pad on the opposite side that stays level with it, or -1."""
    at = {(pad.side, pad.place): index for index, pad in enumerate(pads) if pad.group in SIDES}
    return [
        at.get((_OPPOSITE[pad.side], pad.place), -1) if pad.group in SIDES else -1 for pad in pads
    ]


def _pad_um(design: Design, pad: Pad) -> tuple[float, float]:
    x, y = design.position(pad)
    return (x - RING_SITES) * _SITE_UM, (y / ROW_TRACKS - RING_ROWS) * _ROW_UM


def _moved(pad: Pad, x_um: float, y_um: float) -> Pad:
    if pad.side in "WE":
        return replace(pad, place=round((y_um / _ROW_UM + RING_ROWS) * ROW_TRACKS))
    return replace(pad, place=round(x_um / _SITE_UM) + RING_SITES)
