"""Loads, transitions, delays and energies of every placed cell of a netlist."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from synth.errors import SynthesisError
from synth.liberty.cells import CellKind
from synth.liberty.models import CellModel, Tied
from synth.netlist import CONSTANT_NETS, Netlist, Placed
from synth.wires import ABUTTING, Lengths, Wires

PORT_SLEW_NS = 0.03
"""Transition time of inputs, including the clock."""


@dataclass(frozen=True)
class Annotation:
    """Loads and transition times of a netlist.

    Attributes
    ----------
    loads_ff : by net, wires and pins
    slews_ns : transition time by net, the mean over the arcs that drive it
    lengths : of the wires
    """

    loads_ff: Mapping[int, float]
    slews_ns: Mapping[int, float]
    lengths: Lengths


def annotate(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    wires: Wires,
    loads_ff: Mapping[int, float] | None = None,
) -> Annotation:
    """Loads of all nets and transitions along the netlist, inputs before outputs.

    Parameters
    ----------
    netlist, models : the netlist and its cells
    wires : between its cells
    loads_ff : of all nets, by default those of a unit on its own
    """
    lengths = wires.lengths(netlist)
    if loads_ff is None:
        loads_ff = _unit_loads(netlist, models, wires, lengths)
    slews: dict[int, float] = {}
    known: dict[_Driven, float | None] = {}
    for placed in in_order(netlist, models):
        model, pins = models[placed.cell], placed.pins
        tied = tied_inputs(model, pins)
        arriving = tuple(slews.get(pins[pin], PORT_SLEW_NS) for pin in model.inputs)
        for output in model.outputs:
            if output not in pins:
                continue
            net = pins[output]
            driven = (placed.cell, output, tied, arriving, loads_ff[net])
            if driven not in known:  # most units are placed many times
                known[driven] = _transition(model, output, tied, arriving, loads_ff[net])
            if (found := known[driven]) is not None:
                slews[net] = found
    return Annotation(loads_ff, defaultdict(_port_slew, slews), lengths)


_Driven = tuple[str, str, Tied, tuple[float, ...], float]
"""All that the transition of a cell's output depends on."""


def _port_slew() -> float:
    return PORT_SLEW_NS


def _transition(
    model: CellModel, output: str, tied: Tied, slews_ns: tuple[float, ...], load_ff: float
) -> float | None:
    """Mean transition time of an output over all arcs that drive it; None if there is none."""
    found = [
        drive.transition.at(slew, load_ff)
        for row in model.steps(tied)
        for slew, step in zip(slews_ns, row, strict=True)
        for drive in step.drives
        if drive.output == output
    ]
    return max(sum(found) / len(found), 0.002) if found else None


def tied_inputs(model: CellModel, pins: Mapping[str, int]) -> Tied:
    """Inputs of a placed cell that are constant, each with its value."""
    return tuple(
        (pin, CONSTANT_NETS[pins[pin]]) for pin in model.inputs if pins[pin] in CONSTANT_NETS
    )


def net_loads(
    netlist: Netlist,
    models: Mapping[str, CellModel],
    wires_ff: Mapping[int, float],
    outside_ff: float,
) -> dict[int, float]:
    """Load of every net in fF: its pins, its wires, and `outside_ff` more beyond output ports."""
    loads: dict[int, float] = defaultdict(float, wires_ff)
    for placed in netlist.placed:
        for pin, capacitance in models[placed.cell].capacitance_ff.items():
            loads[placed.pins[pin]] += capacitance
    for port in netlist.ports.values():
        if port.direction == "output":
            for net in port.nets:
                loads[net] += outside_ff
    return loads


def _unit_loads(
    netlist: Netlist, models: Mapping[str, CellModel], wires: Wires, lengths: Lengths
) -> dict[int, float]:
    """Load of every net of a unit on its own; if it was routed, between copies of itself."""
    outside_ff = wires.capacitance_ff(lengths.outside_um) + wires.outside_ff
    wires_ff = wires.capacitances_ff(lengths)
    loads = net_loads(netlist, models, wires_ff, outside_ff)
    if lengths.routed:
        inside = net_loads(netlist, models, wires_ff, 0.0)
        for name, port in netlist.ports.items():
            for net, beyond in zip(port.nets, _beyond(netlist, name), strict=False):
                loads[net] += inside[beyond] - outside_ff
    return loads


def _beyond(netlist: Netlist, output: str) -> tuple[int, ...]:
    """Nets of the input port to which an output leads in the next copy of the unit, if there is."""
    other = netlist.ports.get(ABUTTING.get(output, ""))
    is_like = other is not None and len(other.nets) == len(netlist.ports[output].nets)
    return other.nets if other is not None and is_like else ()


def in_order(netlist: Netlist, models: Mapping[str, CellModel]) -> list[Placed]:
    """Placed cells in topological order: storage first, then each gate after those that feed it.

    Raises
    ------
    SynthesisError
        If there is a combinational loop.
    """
    drivers = {
        placed.pins[output]: index
        for index, placed in enumerate(netlist.placed)
        for output in models[placed.cell].outputs
        if output in placed.pins
    }
    done: set[int] = set()
    begun: set[int] = set()
    order: list[Placed] = []
    stack = [(start, False) for start in reversed(range(len(netlist.placed)))]
    while stack:
        index, ready = stack.pop()
        if index in done:
            continue
        placed = netlist.placed[index]
        if ready:
            done.add(index)
            order.append(placed)
            continue
        if index in begun:
            raise SynthesisError(
                f"{netlist.name}: a loop of logic through {placed.name}; remove it"
            )
        begun.add(index)
        before = (drivers[net] for net in _fed_by(placed, models) if net in drivers)
        stack += [(index, True), *((other, False) for other in before)]
    return order


def _fed_by(placed: Placed, models: Mapping[str, CellModel]) -> list[int]:
    """Nets that must be known before a cell's outputs.

    An enable may come from the very flip-flops that its clock gate drives.
    """
    model = models[placed.cell]
    stores = model.kind in (CellKind.FLIPFLOP, CellKind.CLOCK_GATE)
    return [placed.pins[pin] for pin in ((model.clock,) if stores else model.inputs)]
