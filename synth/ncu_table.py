"""The three kinds of neural compute units (NCUs), measured alike in any library.

    python -m synth.ncu_table --key NAME FILE ...

measures them in the library of some Liberty files, prints the table, and writes its figures into
`results/energy.json`, their names beginning with a key. `qcnpe synth --liberty` prints the same.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.results import add_figures
from qcnpe.terminal import Console
from synth.energy_table import RESULTS
from synth.errors import LibertyError
from synth.flow import WORKERS, choose_cells
from synth.gatesim import simulator
from synth.mapping import LibertyCells
from synth.measure import NcuFigures, make_bench, measure_bench
from synth.ncu_bench import NcuBench
from synth.ncu_variants import FUSED, GATED, PLAIN
from synth.overheads import in_words, overheads_percent
from synth.stimulus import PERIOD_PS
from synth.structural import structural_ncu
from synth.traces import load

KINDS: Mapping[str, EngineConfig] = {"fused": FUSED, "gated": GATED, "plain16": PLAIN}
"""Engines by kind of NCU."""

_STEP_PS = 100.0
"""Periods are multiples of this."""


@dataclass(frozen=True)
class NcuTable:
    """Figures of all kinds of NCUs in one library.

    Attributes
    ----------
    library : its name
    period_ps : of the clock: 2 ns, or the shortest in which the slowest NCU works
    ncus : by kind
    """

    library: str
    period_ps: float
    ncus: Mapping[str, NcuFigures]

    @property
    def overheads_percent(self) -> dict[str, dict[str, float]]:
        """Overheads over plain16 at 16 bits."""
        return overheads_percent(
            {
                kind: {
                    "pj_per_mac": self.pj_per_mac(kind, OPERAND_BITS),
                    "area_um2": figures.area_um2,
                    "path_ns": figures.path_ns,
                }
                for kind, figures in self.ncus.items()
            }
        )

    def pj_per_mac(self, kind: str, width: int) -> float:
        """Energy of a multiply-accumulate on the operands of a trained network."""
        return self.ncus[kind].beats[width].total_fj / KINDS[kind].pairs(width) / 1000

    @property
    def wide_to_narrow(self) -> float:
        """Energy of a multiply-accumulate of `fused` at 16 bits by that at 2 bits."""
        return self.pj_per_mac("fused", OPERAND_BITS) / self.pj_per_mac("fused", 2)

    def as_json(self) -> dict[str, Any]:
        """For a JSON document."""
        return {
            "library": self.library,
            "period_ps": self.period_ps,
            "ncus": {
                kind: {
                    "area_um2": round(figures.area_um2, 1),
                    "path_ns": round(figures.path_ns, 3),
                    "pj_per_mac": {
                        str(width): float(f"{self.pj_per_mac(kind, width):.4g}")
                        for width in figures.beats
                    },
                    "idle_fj": float(f"{figures.idle.total_fj:.4g}"),
                }
                for kind, figures in self.ncus.items()
            },
            "over_plain16_at_16_bits_percent": self.overheads_percent,
            "fused_16_to_2_bits": round(self.wide_to_narrow, 2),
        }

    def render(self) -> Table:
        """As a table for the terminal."""
        title = f"NCUs in {self.library}: pJ for each multiply-accumulate, {self.clock}"
        caption = (
            f"{in_words(self.overheads_percent)}; fused 16 to 2 bit: {self.wide_to_narrow:.1f}"
        )
        table = Table("NCU", title=title, caption=caption)
        widths = [f"{width} bit" for width in FUSED.precisions]
        for header in ("area, um2", "path, ns", *widths, "idle, fJ"):
            table.add_column(header, justify="right")
        for kind, figures in self.ncus.items():
            energies = [
                f"{self.pj_per_mac(kind, width):.3g}" if width in figures.beats else ""
                for width in FUSED.precisions
            ]
            numbers = f"{figures.area_um2:,.0f}", f"{figures.path_ns:.2f}", *energies
            table.add_row(kind, *numbers, f"{figures.idle.total_fj:.0f}")
        return table

    @property
    def clock(self) -> str:
        """Frequency of the clock."""
        return f"{1e6 / self.period_ps:.0f} MHz"


def measure_table(cells: LibertyCells, progress: Callable[[str], None] | None = None) -> NcuTable:
    """Map and measure all kinds of NCUs on a trained network's operands; every sum is checked.

    Parameters
    ----------
    cells : of the library, which needs delays and energies
    progress : called with what is done
    """
    operands = load()

    def mapped(kind: str) -> NcuBench:
        bench = make_bench(structural_ncu(KINDS[kind], cells.library), cells)
        if progress:
            progress(f"mapped {kind}")
        return bench

    with ThreadPoolExecutor(WORKERS) as pool:
        benches = dict(zip(KINDS, pool.map(mapped, KINDS), strict=True))
        slowest_ps = max(1000 * bench.path_ns for bench in benches.values())
        period_ps = max(PERIOD_PS, math.ceil(slowest_ps / _STEP_PS) * _STEP_PS)

        def measured(bench: NcuBench) -> NcuFigures:
            return measure_bench(bench.at(period_ps), cells, operands)

        figures = dict(zip(benches, pool.map(measured, benches.values()), strict=True))
    return NcuTable(cells.name, period_ps, figures)


def measure_library(
    liberty: Sequence[Path], progress: Callable[[str], None] | None = None
) -> NcuTable:
    """The table of a library.

    Raises
    ------
    LibertyError
        If the library is missing or unusable, or has no delays.
    """
    cells = choose_cells(liberty)
    if not isinstance(cells, LibertyCells) or not cells.library.is_timed:
        raise LibertyError(f"{cells.name}: no delays, so nothing can be simulated; use another")
    simulator()  # needed only after minutes of mapping
    return measure_table(cells, progress)


def figures_of(table: NcuTable, key: str) -> dict[str, float]:
    """Flat figures for the results, their names beginning with a key."""
    found = {"clock_mhz": 1e6 / table.period_ps, "fused_16_to_2_bits": table.wide_to_narrow}
    for kind, figures in table.ncus.items():
        for width in figures.beats:
            found[f"{kind}_{width}b_pj_per_mac"] = table.pj_per_mac(kind, width)
        found[f"{kind}_area_um2"] = figures.area_um2
        found[f"{kind}_path_ns"] = figures.path_ns
    for kind, of_kind in table.overheads_percent.items():
        for quantity, percent in of_kind.items():
            found[f"{kind}_over_plain16_{quantity}_percent"] = percent
    return {f"{key}_{name}": float(f"{value:.4g}") for name, value in found.items()}


def main() -> None:
    """Measure a library; add its figures to the results."""
    parser = argparse.ArgumentParser(prog="python -m synth.ncu_table", description=__doc__)
    parser.add_argument("--key", required=True, help="first part of the figures' names")
    parser.add_argument("liberty", nargs="+", type=Path, help="Liberty files of the library")
    options = parser.parse_args()
    console = Console()
    with console.status("mapping NCUs") as status:
        table = measure_library(options.liberty, status.update)
    files = " ".join(path.name for path in options.liberty)
    source = f"python -m synth.ncu_table --key {options.key} {files}"
    add_figures(RESULTS, figures_of(table, options.key), sources={f"{options.key}_*": source})
    console.print(table.render())


if __name__ == "__main__":
    with command("ncu_table"):
        main()
