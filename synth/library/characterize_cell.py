"""Characterises one cell: from its transistors to tables."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synth.library.cells import Cell
from synth.library.constraints import Constraint, Relation, constraint_ps
from synth.library.measure import Condition, Event, WalkBench, leakage
from synth.library.spice import Array
from synth.library.tables import CellTables, ConstraintArc, HiddenPower, PowerArc, TimingArc
from synth.library.technology import TECHNOLOGY
from synth.library.walk import InputToggle, State, TransitionGraph

SLEWS_PS = (4.0, 12.0, 30.0, 80.0, 220.0)
CONSTRAINT_SLEWS_PS = (4.0, 30.0, 220.0)
LOAD_FRACTIONS = (0.004, 0.02, 0.07, 0.25, 1.0)
# The load that a stage of drive one moves in about the longest tabulated transition time.
FULL_LOAD_FF = 100.0
MIDDLE = 2  # index of the load at which toggles that move no output are measured


@dataclass(frozen=True)
class Transition:
    """A toggle of one pin in one state of all pins: what the tables are indexed by."""

    pin: str
    before: State
    after: State


Grid = dict[Transition, dict[tuple[int, int], Event]]


def max_load_ff(cell: Cell) -> float:
    """Largest tabulated load: drive over the longest chain of transistors that drives an output."""
    return FULL_LOAD_FF * cell.drive / cell.stack


def characterize(cell: Cell) -> CellTables:
    """Measure everything that the library file says of a cell."""
    graph = TransitionGraph(cell)
    static = leakage(cell, graph)
    loads = [max_load_ff(cell) * f for f in LOAD_FRACTIONS]
    tables = CellTables(cell.name, list(SLEWS_PS), loads, {}, _leakage_by_state(cell, static))
    if cell.kind == "tie":
        return tables
    grid = _measure_grid(cell, graph, static, loads)
    shift = _balance(grid)
    tables.capacitance_ff = _capacitances(cell, grid)
    tables.timing = _timing(cell, grid)
    tables.power, tables.hidden = _power(cell, grid, shift)
    if cell.kind != "logic":
        tables.constraints = _constraints(cell, loads[MIDDLE])
    return tables


def _transition(step: InputToggle) -> Transition:
    return Transition(step.pin, tuple(v for _, v in step.before), tuple(v for _, v in step.after))


def _measure_grid(
    cell: Cell, graph: TransitionGraph, static: dict[State, tuple[float, float]], loads: list[float]
) -> Grid:
    bench = WalkBench(cell, graph, {s: v[0] for s, v in static.items()})
    every = graph.cover(lambda _: True)
    moving = graph.cover(lambda s: bool(s.changed(cell.outputs)))
    grid: Grid = defaultdict(dict)
    for i, slew in enumerate(SLEWS_PS):
        for j, load in enumerate(loads):
            at = Condition(slew, load, LOAD_FRACTIONS[j])
            events = bench.measure(moving, at)
            # Moving toggles keep one history at all loads; the rest come from the longer walk.
            for key, found in _by_transition(events).items():
                grid[key][i, j] = _mean(found)
            if j == MIDDLE:
                for key, found in _by_transition(bench.measure(every, at)).items():
                    grid[key].setdefault((i, j), _mean(found))
    return grid


def _by_transition(events: list[Event]) -> dict[Transition, list[Event]]:
    grouped: dict[Transition, list[Event]] = defaultdict(list)
    for event in events:
        grouped[_transition(event.step)].append(event)
    return grouped


def _mean(events: list[Event]) -> Event:
    """A walk passes some transitions more than once; charge left in stacks differs a little."""
    energy = sum(e.energy_fj for e in events) / len(events)
    charge = sum(e.charge_fc for e in events) / len(events)
    return replace(events[-1], energy_fj=energy, charge_fc=charge)


def _balance(grid: Grid) -> dict[State, float]:
    """Potential of each state that evens out the two directions of a toggle.

    The supply pays for charge when a net rises and nothing when it falls, so the split of a there
    and back toggle's energy is arbitrary: adding any function of the state to the energy changes no
    closed sequence. Least squares picks the function that makes both directions most alike.
    """
    states = sorted({s for t in grid for s in (t.before, t.after)})
    column = {s: i for i, s in enumerate(states)}
    mean = {t: float(np.mean([e.energy_fj for e in at.values()])) for t, at in grid.items()}
    rows, right = [], []
    for t in grid:
        back = Transition(t.pin, t.after, t.before)
        if back in grid and t.before < t.after:
            row = np.zeros(len(states))
            row[column[t.after]], row[column[t.before]] = 1, -1
            rows.append(row)
            right.append((mean[back] - mean[t]) / 2)
    found = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
    return {s: float(found[i]) for s, i in column.items()}


def _leakage_by_state(cell: Cell, static: dict[State, tuple[float, float]]) -> dict[str, float]:
    names = _state_pins(cell)
    result: dict[str, list[float]] = defaultdict(list)
    for state, (_, power) in static.items():
        result[_literals(cell, state, names)].append(power)
    return {when: sum(p) / len(p) for when, p in sorted(result.items())}


def _state_pins(cell: Cell) -> tuple[str, ...]:
    """Pins that tell states apart: the inputs, and one output where there is memory."""
    return cell.inputs if cell.kind in ("logic", "tie") else cell.inputs + cell.outputs[:1]


def _literals(cell: Cell, state: State, names: tuple[str, ...]) -> str:
    values = dict(zip(cell.pins, state, strict=True))
    return " & ".join(n if values[n] else f"!{n}" for n in names)


def _capacitances(cell: Cell, grid: Grid) -> dict[str, tuple[float, float]]:
    """(rise, fall) pin capacitance in fF: mean charge of its toggles over the supply voltage."""
    charges: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for t, at in grid.items():
        rises = dict(zip(cell.pins, t.after, strict=True))[t.pin] == 1
        charges[t.pin, rises] += [e.charge_fc for (_, j), e in at.items() if j == MIDDLE]
    mean = {k: float(np.mean(v)) / TECHNOLOGY.vdd_v for k, v in charges.items()}
    return {p: (mean[p, True], mean[p, False]) for p in cell.inputs}


def _array(at: dict[tuple[int, int], Event], value: "Reader") -> Array:
    return np.array(
        [[value(at[i, j]) for j in range(len(LOAD_FRACTIONS))] for i in range(len(SLEWS_PS))]
    )


class Reader:
    """Picks one figure out of an event: delay or transition (ns) of an output, or energy (fJ)."""

    def __init__(self, kind: str, output: str = "", share: int = 1, shift: float = 0.0) -> None:
        self.kind, self.output, self.share, self.shift = kind, output, share, shift

    def __call__(self, event: Event) -> float:
        if self.kind == "delay":
            return event.edges[self.output].delay_ps / 1000
        if self.kind == "transition":
            return event.edges[self.output].transition_ps / 1000
        return (event.energy_fj + self.shift) / self.share


def _changed(cell: Cell, t: Transition) -> dict[str, bool]:
    """Outputs that a transition changes, and whether they rise."""
    rows = zip(cell.pins, t.before, t.after, strict=True)
    return {p: bool(new) for p, old, new in rows if p in cell.outputs and old != new}


def _pin_rises(cell: Cell, t: Transition) -> bool:
    return bool(t.after[cell.pins.index(t.pin)])


def _arc_when(cell: Cell, t: Transition) -> str:
    if cell.kind != "logic":
        return ""
    return _literals(cell, t.before, tuple(p for p in cell.inputs if p != t.pin))


def _sense(cell: Cell, t: Transition, rises: bool) -> str:
    if cell.kind == "flipflop" or (cell.kind == "latch" and t.pin == cell.clock):
        return "rising_edge"
    return "positive_unate" if rises == _pin_rises(cell, t) else "negative_unate"


def _timing(cell: Cell, grid: Grid) -> list[TimingArc]:
    found: dict[tuple[str, str, str, str], dict[str, list[Array]]] = {}
    for t, at in grid.items():
        for output, rises in _changed(cell, t).items():
            key = (output, t.pin, _arc_when(cell, t), _sense(cell, t, rises))
            tables = found.setdefault(key, defaultdict(list))
            word = "rise" if rises else "fall"
            tables[f"cell_{word}"].append(_array(at, Reader("delay", output)))
            tables[f"{word}_transition"].append(_array(at, Reader("transition", output)))
    return [
        TimingArc(*key, **{n: np.max(v, axis=0).tolist() for n, v in sorted(tables.items())})
        for key, tables in sorted(found.items())
    ]


def _power(
    cell: Cell, grid: Grid, shift: dict[State, float]
) -> tuple[list[PowerArc], list[HiddenPower]]:
    """Energies by arc; outputs that move together carry equal shares."""
    moving: dict[tuple[str, str, str], dict[str, list[Array]]] = {}
    hidden: dict[tuple[str, str], dict[str, list[Array]]] = {}
    for t, at in grid.items():
        outputs, moved = _changed(cell, t), shift[t.after] - shift[t.before]
        for output, rises in outputs.items():
            key = (output, t.pin, _arc_when(cell, t))
            energy = _array(at, Reader("energy", share=len(outputs), shift=moved))
            table = moving.setdefault(key, defaultdict(list))
            table["rise" if rises else "fall"].append(energy)
        if not outputs:
            names = tuple(p for p in _state_pins(cell) if p != t.pin)
            still = hidden.setdefault((t.pin, _literals(cell, t.before, names)), defaultdict(list))
            line = np.array([at[i, MIDDLE].energy_fj + moved for i in range(len(SLEWS_PS))])
            still["rise" if _pin_rises(cell, t) else "fall"].append(line)
    return (
        [PowerArc(*k, _mean_of(v, "rise"), _mean_of(v, "fall")) for k, v in sorted(moving.items())],
        [
            HiddenPower(*k, _mean_of(v, "rise"), _mean_of(v, "fall"))
            for k, v in sorted(hidden.items())
        ],
    )


def _mean_of(tables: dict[str, list[Array]], edge: str) -> Any:
    return np.mean(tables[edge], axis=0).tolist() if edge in tables else None


def _constraints(cell: Cell, load_ff: float) -> list[ConstraintArc]:
    return [
        ConstraintArc(
            relation,
            *(_constraint_table(cell, relation, rises, load_ff) for rises in (True, False)),
        )
        for relation in ("hold", "setup")
    ]


def _constraint_table(
    cell: Cell, relation: Relation, rises: bool, load_ff: float
) -> list[list[float]]:
    return [
        [
            constraint_ps(cell, Constraint(relation, rises, data, clock, load_ff)) / 1000
            for clock in CONSTRAINT_SLEWS_PS
        ]
        for data in CONSTRAINT_SLEWS_PS
    ]
