"""Longest path of a mapped netlist, from the same tables as the simulation's delays."""

from collections import defaultdict

from synth.annotate import tied_inputs
from synth.gatesim import Circuit
from synth.liberty.cells import CellKind
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
    return max((arrival[end] for end in _ends(circuit)), default=0.0) + SETUP_NS


def path(circuit: Circuit) -> list[tuple[str, float]]:
    """The longest path: (placed cell, arrival in ns at its output), from its start."""
    arrival, before = arrivals_ns(circuit), {}
    for placed in circuit.ordered:
        for source, target, delay in _arcs(circuit, placed):
            if arrival[source] + delay == arrival[target]:
                before[target] = (source, placed)
    edge = max(_ends(circuit), key=lambda end: arrival[end])
    found: list[tuple[str, float]] = []
    while edge in before:
        source, placed = before[edge]
        found.append((f"{placed.name} ({placed.cell})", arrival[edge]))
        edge = source
    return found[::-1]


def _arcs(circuit: Circuit, placed: Placed) -> list[tuple[Edge, Edge, float]]:
    """(input edge, output edge, delay) of a placed cell in all its states."""
    model, annotation = circuit.models[placed.cell], circuit.annotation
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
                delay = drive.delay.at(annotation.slews_ns[source], annotation.loads_ff[net])
                found.append(((source, 1 - (state >> index & 1)), (net, drive.value), delay))
    return found


def _ends(circuit: Circuit) -> list[Edge]:
    return [
        (placed.pins[pin], value)
        for placed in circuit.netlist.placed
        if (model := circuit.models[placed.cell]).kind in (CellKind.FLIPFLOP, CellKind.CLOCK_GATE)
        for pin in model.data
        for value in (0, 1)
    ]
