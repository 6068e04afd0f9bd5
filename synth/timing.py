"""Longest path of a mapped netlist, from the same tables as the simulation's delays.

Where clock gates follow one another, the clock is ideal: it arrives at all flip-flops in the same
moment, and at a gate earlier, by the delays of that gate and of those below it.
"""

from collections import defaultdict
from dataclasses import dataclass

from synth.annotate import tied_inputs
from synth.gatesim import Circuit
from synth.liberty.cells import CellKind
from synth.liberty.models import Drive
from synth.netlist import Placed

SETUP_NS = 0.05
"""Setup of a flip-flop, on top of the longest path."""

Edge = tuple[int, int]
"""A net and its new value."""


def arrivals_ns(circuit: Circuit) -> dict[Edge, float]:
    """Latest arrival of both edges of every net after the clock edge, over all states."""
    arrival: dict[Edge, float] = defaultdict(float)
    for placed in circuit.ordered:
        for source, target, delay in _arcs(circuit, placed):
            arrival[target] = max(arrival[target], arrival[source] + delay)
    return arrival


def path_ns(circuit: Circuit) -> float:
    """Shortest clock period: the longest path from flip-flop to flip-flop, with setup."""
    arrival = arrivals_ns(circuit)
    ends = (arrival[end] + early for end, early in _ends(circuit).items())
    return max(ends, default=0.0) + SETUP_NS


@dataclass(frozen=True)
class Stage:
    """A cell on a path: the edges at its input and at its output, and its delay."""

    placed: Placed
    source: Edge
    target: Edge
    delay_ns: float


def stages(circuit: Circuit) -> list[Stage]:
    """The longest path, from its start."""
    arrival, before = arrivals_ns(circuit), dict[Edge, Stage]()
    for placed in circuit.ordered:
        for source, target, delay in _arcs(circuit, placed):
            if arrival[source] + delay == arrival[target]:
                before[target] = Stage(placed, source, target, delay)
    ends = _ends(circuit)
    edge = max(ends, key=lambda end: arrival[end] + ends[end])
    found: list[Stage] = []
    while edge in before:
        found.append(before[edge])
        edge = found[-1].source
    return found[::-1]


def path(circuit: Circuit) -> list[tuple[str, float]]:
    """The longest path: (placed cell, arrival in ns at its output), from its start."""
    found, arrival_ns = [], 0.0
    for stage in stages(circuit):
        arrival_ns += stage.delay_ns
        found.append((f"{stage.placed.name} ({stage.placed.cell})", arrival_ns))
    return found


def _arcs(circuit: Circuit, placed: Placed) -> list[tuple[Edge, Edge, float]]:
    """(input edge, output edge, delay) of a placed cell in all its states."""
    model = circuit.models[placed.cell]
    found = []
    for state, row in enumerate(model.steps(tied_inputs(model, placed.pins))):
        for index, (pin, step) in enumerate(zip(model.inputs, row, strict=True)):
            if model.kind is not CellKind.LOGIC and pin != model.clock:
                continue
            source = placed.pins[pin]
            for drive in step.drives:
                net = placed.pins.get(drive.output)
                if net is None:
                    continue
                is_ideal = circuit.is_balanced and model.kind is CellKind.CLOCK_GATE
                delay = 0.0 if is_ideal else _delay_ns(circuit, drive, source, net)
                found.append(((source, 1 - (state >> index & 1)), (net, drive.value), delay))
    return found


def _delay_ns(circuit: Circuit, drive: Drive, source: int, net: int) -> float:
    annotation = circuit.annotation
    return drive.delay.at(annotation.slews_ns[source], annotation.loads_ff[net])


def _ends(circuit: Circuit) -> dict[Edge, float]:
    """Ends of paths, each with the time by which the clock is earlier there, in ns."""
    below: dict[int, float] = defaultdict(float)
    found: dict[Edge, float] = {}
    for placed in reversed(circuit.ordered):
        model = circuit.models[placed.cell]
        if model.kind not in (CellKind.FLIPFLOP, CellKind.CLOCK_GATE):
            continue
        early = 0.0
        if circuit.is_balanced and model.kind is CellKind.CLOCK_GATE:
            early = _insertion_ns(circuit, placed) + max(
                below[placed.pins[pin]] for pin in model.outputs if pin in placed.pins
            )
            clock = placed.pins[model.clock]
            below[clock] = max(below[clock], early)
        for pin in model.data:
            for value in (0, 1):
                edge = (placed.pins[pin], value)
                found[edge] = max(found.get(edge, 0.0), early)
    return found


def _insertion_ns(circuit: Circuit, gate: Placed) -> float:
    """Delay of a clock gate."""
    model = circuit.models[gate.cell]
    return max(
        (
            _delay_ns(circuit, drive, gate.pins[pin], gate.pins[drive.output])
            for row in model.steps(tied_inputs(model, gate.pins))
            for pin, step in zip(model.inputs, row, strict=True)
            for drive in step.drives
            if pin == model.clock and drive.output in gate.pins and drive.value
        ),
        default=0.0,
    )
