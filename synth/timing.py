"""Longest path of a mapped netlist, from the same tables as the simulation's delays."""

from collections import defaultdict

from synth.gatesim import Circuit

SETUP_NS = 0.05
"""Setup of a flip-flop and skew of the clock, on top of the longest path."""


def arrivals_ns(circuit: Circuit) -> dict[int, float]:
    """Latest arrival at every net after the clock's edge, over all arcs and states."""
    arrival: dict[int, float] = defaultdict(float)
    annotation = circuit.annotation
    for placed in circuit.ordered:
        model = circuit.models[placed.cell]
        for row in model.steps:
            for pin, step in zip(model.inputs, row, strict=True):
                if model.kind != "logic" and pin != model.clock:
                    continue
                for drive in step.drives:
                    net = placed.pins.get(drive.output)
                    if net is None:
                        continue
                    source = placed.pins[pin]
                    delay = drive.delay.at(annotation.slews_ns[source], annotation.loads_ff[net])
                    arrival[net] = max(arrival[net], arrival[source] + delay)
    return arrival


def path_ns(circuit: Circuit) -> float:
    """Shortest clock period: the longest path from flip-flop to flip-flop, with setup."""
    arrival = arrivals_ns(circuit)
    ends = [
        arrival[placed.pins[model.data]]
        for placed in circuit.netlist.placed
        if (model := circuit.models[placed.cell]).kind in ("flipflop", "clockgate")
    ]
    return max(ends) + SETUP_NS


def path(circuit: Circuit) -> list[tuple[str, float]]:
    """The longest path: (placed cell, arrival in ns at its output), from its start."""
    arrival = arrivals_ns(circuit)
    driver = {
        placed.pins[output]: placed
        for placed in circuit.netlist.placed
        for output in circuit.models[placed.cell].outputs
        if output in placed.pins
    }
    ends = [
        placed.pins[model.data]
        for placed in circuit.netlist.placed
        if (model := circuit.models[placed.cell]).kind in ("flipflop", "clockgate")
    ]
    net = max(ends, key=lambda end: arrival[end])
    found: list[tuple[str, float]] = []
    while net in driver:
        placed = driver[net]
        model = circuit.models[placed.cell]
        found.append((f"{placed.name} ({placed.cell})", arrival[net]))
        feeds = model.inputs if model.kind == "logic" else (model.clock,)
        net = max((placed.pins[pin] for pin in feeds), key=lambda source: arrival[source])
    return found[::-1]
