"""Measures the alternative topologies that `cells` chose between, and prints them as a table.

Run with `python -m synth.library.alternatives`; needs ngspice.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.terminal import Console
from synth.library import cells
from synth.library.cells import Cell
from synth.library.measure import Condition, Event, WalkBench, leakage
from synth.library.technology import TECHNOLOGY
from synth.library.walk import TransitionGraph

# A typical place inside an arithmetic tree: two small cells and a short wire as load.
CONDITION = Condition(slew_ps=20.0, load_ff=4.0, fullness=0.2)
CHOICES: tuple[tuple[str, Callable[[str, float], Cell]], ...] = (
    ("mirror FA", cells.full_adder_mirror),
    ("inverting FA", cells.inverting_full_adder),
    ("transmission-gate FA", cells.full_adder_pass),
    ("single-phase DFF", cells.flipflop_single_phase),
    ("transmission-gate DFF", cells.flipflop_pass),
)


@dataclass(frozen=True)
class Summary:
    """Mean figures of one variant over all its transitions, pin energy included (fJ, ps, nW)."""

    area_um2: float
    toggle_fj: float
    clock_cycle_fj: float
    delay_ps: float
    leakage_nw: float


def summarise(cell: Cell, at: Condition = CONDITION) -> Summary:
    """Measure one cell: mean energy of a data toggle and of an idle clock cycle, worst delay."""
    graph = TransitionGraph(cell)
    static = leakage(cell, graph)
    bench = WalkBench(cell, graph, {s: v[0] for s, v in static.items()})
    events = list(
        {
            (e.step.pin, e.step.before): e for e in bench.measure(graph.cover(lambda _: True), at)
        }.values()
    )
    data = [e for e in events if e.step.pin != cell.clock]
    idle = [e for e in events if e.step.pin == cell.clock and _holds(cell, e)]
    return Summary(
        cell.area_um2,
        sum(map(total_fj, data)) / len(data),
        2 * sum(map(total_fj, idle)) / len(idle) if idle else 0.0,
        max(x.delay_ps for e in events for x in e.edges.values()),
        sum(p for _, p in static.values()) / len(static),
    )


def total_fj(event: Event) -> float:
    """Energy inside the cell plus half of what a full cycle of the pin takes from its driver."""
    return event.energy_fj + event.charge_fc * TECHNOLOGY.vdd_v / 2


def _holds(cell: Cell, event: Event) -> bool:
    pins = dict(event.step.before)
    return not event.edges and pins[cell.data] == pins["Q"]


def main() -> None:
    """Print the comparison."""
    table = Table("cell", "drive", "area um2", "fJ/toggle", "fJ/idle clock", "worst ps", "leak nW")
    for name, make in CHOICES:
        for drive in (0.25, 0.5, 1.0):
            s = summarise(make(name.replace(" ", "_").replace("-", "_"), drive))
            table.add_row(
                name,
                f"{drive:g}",
                f"{s.area_um2:.2f}",
                f"{s.toggle_fj:.2f}",
                f"{s.clock_cycle_fj:.2f}",
                f"{s.delay_ps:.0f}",
                f"{s.leakage_nw:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    with command("alternatives"):
        main()
