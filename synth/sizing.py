"""Makes cells on the longest path of a netlist stronger, until it is short enough.

The mapper sizes the gates that it places, but takes each placed full adder as the end of a path. So
netlists with adder trees are sized again as a whole, with the delays of the simulator. A stronger
cell is one with the same pins and functions, so the netlist computes the same.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cache, cached_property

from synth.annotate import tied_inputs
from synth.gatesim import Circuit
from synth.liberty.cells import Cell, CellKind
from synth.liberty.library import Library
from synth.liberty.models import CellModel
from synth.netlist import Netlist, Placed
from synth.timing import Stage, path_ns, stages
from synth.wires import Wires

MAX_ROUNDS = 40
"""Most times that the longest path is searched for."""

LEAST_GAIN_NS = 0.002
"""Least gain of a stronger cell, above which it is taken."""


def strengthen(netlist: Netlist, library: Library, wires: Wires, target_ns: float) -> Netlist:
    """The netlist with stronger cells where its path is longer than a target.

    Parameters
    ----------
    netlist : of the library's cells
    library : with delays
    wires : between the cells
    target_ns : of the longest path, with setup; if it cannot be reached, the shortest found path
    """
    families = _Families(library)
    best, best_ns = netlist, math.inf
    for _ in range(MAX_ROUNDS):
        circuit = Circuit(netlist, library, wires)
        found_ns = path_ns(circuit)
        if found_ns < best_ns:
            best, best_ns = netlist, found_ns
        stronger = _stronger(circuit, families) if found_ns > target_ns else {}
        if not stronger:
            break
        placed = tuple(replace(c, cell=stronger.get(c.name, c.cell)) for c in netlist.placed)
        netlist = replace(netlist, placed=placed)
    return best


@dataclass(frozen=True, eq=False)
class _Families:
    """Cells that can replace one another."""

    library: Library

    @cached_property
    def _alike(self) -> dict[Hashable, list[Cell]]:
        found: dict[Hashable, list[Cell]] = {}
        for cell in sorted(self.library.for_mapping, key=lambda cell: cell.area_um2):
            if cell.kind in (CellKind.LOGIC, CellKind.FLIPFLOP) and cell.is_timed:
                found.setdefault(_function(cell), []).append(cell)
        return found

    @cache  # noqa: B019  # lives as long as the sizing of one netlist
    def larger(self, name: str) -> list[CellModel]:
        """Cells that are larger than one and can replace it."""
        cell = self.library.cells[name]
        names = [
            other.name
            for other in self._alike.get(_function(cell), [])
            if other.area_um2 > cell.area_um2
        ]
        return list(self.library.models(names).values())


def _function(cell: Cell) -> Hashable:
    return (
        cell.kind,
        frozenset(cell.inputs),
        tuple(sorted(cell.outputs.items(), key=str)),
        cell.storage,
    )


def _stronger(circuit: Circuit, families: _Families) -> dict[str, str]:
    """Names of cells on the longest path, and of cells to take instead; never of two neighbours."""
    found: dict[str, str] = {}
    before: Stage | None = None
    for stage in stages(circuit):
        if before is None or before.placed.name not in found:
            larger = families.larger(stage.placed.cell)
            gains = [(_gain_ns(circuit, stage, before, model), model.cell.name) for model in larger]
            gain_ns, name = max(gains, default=(0.0, ""))
            if gain_ns > LEAST_GAIN_NS:
                found[stage.placed.name] = name
        before = stage
    return found


def _gain_ns(circuit: Circuit, stage: Stage, before: Stage | None, larger: CellModel) -> float:
    """Time that a larger cell saves: its own delay, less that of driving its larger input."""
    gain_ns = stage.delay_ns - _delay_ns(circuit, stage, larger)
    if before is None:
        return gain_ns
    old = circuit.models[stage.placed.cell].capacitance_ff
    pins = _pins(stage.placed, stage.source[0])
    more_ff = sum(larger.capacitance_ff[pin] - old[pin] for pin in pins)
    driver = circuit.models[before.placed.cell]
    return gain_ns + before.delay_ns - _delay_ns(circuit, before, driver, more_ff)


def _delay_ns(circuit: Circuit, stage: Stage, model: CellModel, more_ff: float = 0.0) -> float:
    """Longest delay of a stage with another cell, or with a larger load."""
    annotation = circuit.annotation
    slew_ns = annotation.slews_ns[stage.source[0]]
    load_ff = annotation.loads_ff[stage.target[0]] + more_ff
    related = _pins(stage.placed, stage.source[0])
    (output,) = _pins(stage.placed, stage.target[0])
    return max(
        (
            drive.delay.at(slew_ns, load_ff)
            for row in model.steps(tied_inputs(model, stage.placed.pins))
            for pin, step in zip(model.inputs, row, strict=True)
            for drive in step.drives
            if pin in related and drive.output == output and drive.value == stage.target[1]
        ),
        default=0.0,
    )


def _pins(placed: Placed, net: int) -> list[str]:
    return [pin for pin, each in placed.pins.items() if each == net]
