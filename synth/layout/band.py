"""What energy depends on in a layout: the capacitance of wires, and the chance of the placement.

    python -m synth.layout.band

The neural compute units (NCUs) `fused` and `plain16` are measured on the operands of the trace with
the committed lengths of wires at three capacitances, and with other placements at the headline's.
The figures go into `results/energy.json`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.results import add_figures
from qcnpe.terminal import Console
from qcnpe.tools.extras import require_modules
from synth.energy_table import RESULTS
from synth.flow import own_cells
from synth.gatesim import Circuit, simulator
from synth.layout.units import ATTEMPTS, lay_out_ncu, ncu_bench
from synth.mapping import LibertyCells
from synth.measure import beat_energy, operands
from synth.ncu_bench import NcuBench
from synth.ncu_variants import FUSED, PLAIN
from synth.stimulus import PERIOD_PS
from synth.traces import Trace, load

COMMAND = "python -m synth.layout.band"

CAPACITANCES = (0.13, 0.16, 0.20)
"""Of a wire in fF/um without neighbours, with half of them, and with neighbours on both sides."""

PLACEMENTS = 3
"""Placements that are compared; the first one is the committed one."""


@dataclass(frozen=True)
class BandRow:
    """Both NCUs with some wires.

    Attributes
    ----------
    fused_pj : of a multiply-accumulate on `fused`, by operand width
    plain16_pj : of one on `plain16`
    path_ns : the longest path of `fused`
    """

    fused_pj: Mapping[int, float]
    plain16_pj: float
    path_ns: float

    @property
    def overhead_percent(self) -> float:
        """Energy of `fused` above that of `plain16` at 16 bits."""
        return 100 * (self.fused_pj[OPERAND_BITS] / self.plain16_pj - 1)


def measure(benches: Mapping[str, NcuBench], cells: LibertyCells, trace: Trace) -> BandRow:
    """Measure mapped NCUs with the wires of `cells`."""
    fused, plain16 = (_with_wires(benches[name], cells) for name in ("fused", "plain16"))
    energies = {
        width: beat_energy(fused, [operands(tile, FUSED) for tile in tiles]).total_fj
        for width, tiles in trace.items()
    }
    exact = beat_energy(plain16, [operands(tile, PLAIN) for tile in trace[OPERAND_BITS]])
    return BandRow(
        {width: fj / FUSED.pairs(width) / 1000 for width, fj in energies.items()},
        exact.total_fj / 1000,
        fused.path_ns,
    )


def _with_wires(bench: NcuBench, cells: LibertyCells) -> NcuBench:
    circuit = Circuit(bench.circuit.netlist, cells.library, cells.wires)
    moved = NcuBench(circuit, bench.config, bench.tree)
    return moved.at(max(PERIOD_PS, 1000 * moved.path_ns))


def placed_again(
    benches: Mapping[str, NcuBench], cells: LibertyCells, trace: Trace, number: int
) -> LibertyCells:
    """The wires of another placement of the NCUs, with seeds that no other number has."""
    routed = {
        name: lay_out_ncu(name, bench, cells, trace, seed=1 + number * ATTEMPTS).unit
        for name, bench in benches.items()
    }
    return replace(cells, wires=replace(cells.wires, routed={**cells.wires.routed, **routed}))


def band(progress: Callable[[str], None]) -> dict[str, BandRow]:
    """All rows, by their names in the figures."""
    cells, trace = own_cells(), load()
    configs = {"fused": FUSED, "plain16": PLAIN}
    benches = {name: ncu_bench(config, cells) for name, config in configs.items()}
    rows = {}
    for ff_per_um in CAPACITANCES:
        rows[f"{ff_per_um:.2f}"] = measure(benches, own_cells(cells.wires.at(ff_per_um)), trace)
        progress(f"{ff_per_um:.2f} fF/um")
    for number in range(1, PLACEMENTS):
        progress(f"placing again, {number} of {PLACEMENTS - 1}")
        placed = placed_again(benches, cells, trace, number)
        rows[f"placement_{number + 1}"] = measure(benches, placed, trace)
    return rows


def figures(rows: Mapping[str, BandRow]) -> dict[str, float]:
    """Flat figures: those of each row."""
    found: dict[str, float] = {}
    for name, row in rows.items():
        for width, pj in row.fused_pj.items():
            found[f"band_{name}_fused_{width}b_pj_per_mac"] = round(pj, 4)
        found[f"band_{name}_plain16_pj_per_mac"] = round(row.plain16_pj, 4)
        found[f"band_{name}_overhead_percent"] = round(row.overhead_percent, 1)
        found[f"band_{name}_path_ns"] = round(row.path_ns, 3)
    return found


def render(rows: Mapping[str, BandRow]) -> Table:
    """The rows for the terminal."""
    table = Table(title="NCUs with other wires: pJ for each multiply-accumulate")
    for header in ("wires", "fused 16", "8", "4", "2 bit", "plain16", "overhead", "path, ns"):
        table.add_column(header, justify="left" if header == "wires" else "right")
    for name, row in rows.items():
        energies = (f"{row.fused_pj[width]:.3f}" for width in FUSED.precisions)
        exact = f"{row.plain16_pj:.3f}", f"{row.overhead_percent:+.1f} %"
        table.add_row(name, *energies, *exact, f"{row.path_ns:.2f}")
    return table


def main() -> None:
    """Measure all rows and write the figures."""
    require_modules("coriolis")
    simulator()
    console = Console()
    with console.status("mapping NCUs") as status:
        rows = band(status.update)
    add_figures(RESULTS, figures(rows), sources={"band_*": COMMAND})
    console.print(render(rows))


if __name__ == "__main__":
    with command("band"):
        main()
