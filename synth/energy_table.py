"""Makes `synth/energy_45nm.json`: what each event of an engine costs, from gate counts.

    python -m synth.energy_table

An event costs the area of the cells that work for it times a switched energy per area. The cells
that work are those that remain when the unit is synthesised with its mode or function held
constant. The switched energy is the mean of five published 45 nm arithmetic units: energies of
M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, at 0.9 V,
brought to 1.1 V by the square of the supply; areas of the same units from W. Dally,
"High-performance hardware for machine learning", NIPS tutorial 2015.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qcnpe.rtl.afu import Afu
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.ncu import Ncu
from qcnpe.rtl.requantize import Requantize
from qcnpe.rtl.stream import Fifo
from qcnpe.spec.activation import Function
from qcnpe.spec.archive import replace_text
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from synth.flow import WORKERS, Cells, choose_cells, map_design
from synth.units import leaf_rtlil

TABLE = Path(__file__).parent / "energy_45nm.json"

SUPPLY_V = 1.1

_PUBLISHED_SUPPLY_V = 0.9
_PUBLISHED_PJ_UM2 = {
    "8-bit add": (0.03, 36),
    "16-bit add": (0.05, 67),
    "32-bit add": (0.1, 137),
    "8-bit multiply": (0.2, 282),
    "32-bit multiply": (3.1, 3495),
}

_FORMULA = (
    "energy of an event = area of the cells that work for it (the unit synthesised with its mode or"
    " function held constant; the knots' flip-flops of the table left out) x energy_per_um2_pj;"
    " ncu_mac_*: of an NCU, divided by the pairs a beat; ncu_idle_cycle: the NCU's flip-flops"
    " without an enable; requantize: the unit divided by its copies; fifo_word: twice the"
    " operand queue's area per stored 16-bit word, for in and out"
)


def energy_per_um2_pj() -> float:
    """Energy that 1 um2 of working logic takes for one operation, at `SUPPLY_V`."""
    densities = [energy / area for energy, area in _PUBLISHED_PJ_UM2.values()]
    return sum(densities) / len(densities) * (SUPPLY_V / _PUBLISHED_SUPPLY_V) ** 2


@dataclass(frozen=True)
class GateCounts:
    """Areas of the parts of an engine that work for an event.

    Attributes
    ----------
    cells : what the units are mapped to
    config : the engine
    """

    cells: Cells
    config: EngineConfig = field(default_factory=EngineConfig)

    def ncu_um2(self, precision: int) -> float:
        """Area of the cells of a fused NCU that work at a precision."""
        mode = self.config.precisions.index(precision)
        return self._area_um2(Ncu(self.config), ("mac.mode", mode))

    def plain_ncu_um2(self) -> float:
        """Area of an NCU that knows 16 bits only."""
        plain = replace(self.config, ncu="plain16", precisions=(OPERAND_BITS,))
        return self._area_um2(Ncu(plain))

    def idle_ncu_um2(self) -> float:
        """Area of the flip-flops of an NCU that take every clock: two valid flags and `done`."""
        return 3 * self._flipflop_um2()

    def afu_um2(self, function: Function) -> float:
        """Area of the cells of an AFU that work for a function."""
        area = self._area_um2(Afu(self.config), ("bias_function", int(function)))
        if function is Function.TABLE:
            area -= OPERAND_BITS * (self.config.table_segments + 1) * self._flipflop_um2()
        return area

    def requantize_um2(self) -> float:
        """Area of the cells that make one narrow copy."""
        return self._area_um2(Requantize(self.config)) / len(self.config.narrow_precisions)

    def fifo_word_um2(self) -> float:
        """Area of the queue for activations, per 16-bit word that it holds."""
        lanes, depth = self.config.rows, self.config.fifo_depth
        return self._area_um2(Fifo(width=lanes * OPERAND_BITS, depth=depth)) / (lanes * depth)

    def _area_um2(self, leaf: Leaf, constant: tuple[str, int] | None = None) -> float:
        """Area of a unit with one of its signals held constant."""
        before: tuple[str, ...] = ()
        if constant:
            name, value = constant
            hold = f"connect -set \\{name} {value}"
            before = ("proc", "flatten", f"cd \\{leaf.module_name}", hold, "cd ..")
        with TemporaryDirectory() as folder:
            counts = map_design(
                leaf_rtlil(leaf),
                leaf.module_name,
                self.cells,
                Path(folder, "netlist.v"),
                before,
            )
        return sum(number * self.cells.area_um2(cell) for cell, number in counts.items())

    def _flipflop_um2(self) -> float:
        return self.cells.area_um2(self.cells.flipflop)


def prices_pj(counts: GateCounts) -> dict[str, float]:
    """Energy of every event that `EventCounts.events` names, and of the exact baseline's MAC."""
    events: dict[str, Callable[[], float]] = {
        f"ncu_mac_{width}b": partial(_mac_um2, counts, width) for width in counts.config.precisions
    }
    events |= {
        "plain16_mac_16b": counts.plain_ncu_um2,
        "ncu_idle_cycle": counts.idle_ncu_um2,
        "requantize": counts.requantize_um2,
        "fifo_word": lambda: 2 * counts.fifo_word_um2(),
    }
    events |= {
        f"afu_{function.name.lower()}": partial(counts.afu_um2, function) for function in Function
    }
    with ThreadPoolExecutor(WORKERS) as pool:
        areas = pool.map(lambda area: area(), events.values())
    density = energy_per_um2_pj()
    return {event: area * density for event, area in zip(events, areas, strict=True)}


def document(counts: GateCounts) -> dict[str, Any]:
    """The table with its provenance, as it is committed."""
    prices = prices_pj(counts)
    return {
        "pj": {event: float(f"{price:.4g}") for event, price in prices.items()},
        "provenance": {
            "status": "first estimate from gate counts; to be replaced by activity-based"
            " gate-level simulation",
            "command": "python -m synth.energy_table",
            "formula": _FORMULA,
            "energy_per_um2_pj": float(f"{energy_per_um2_pj():.4g}"),
            "source": "energies: Horowitz, ISSCC 2014 (45 nm, 0.9 V); areas of the same units:"
            " Dally, NIPS tutorial 2015; x (1.1 V / 0.9 V)^2",
            "known_bias": "glitches and the idle modes' cells are not counted; the cost of being"
            " configurable is therefore missing from ncu_mac_*",
            "cells": counts.cells.name,
            "versions": {name: version(name) for name in ("amaranth", "pyosys")},
        },
    }


def _mac_um2(counts: GateCounts, precision: int) -> float:
    return counts.ncu_um2(precision) / counts.config.pairs(precision)


def main() -> None:
    """Write the table."""
    replace_text(TABLE, json.dumps(document(GateCounts(choose_cells())), indent=1) + "\n")


if __name__ == "__main__":
    main()
