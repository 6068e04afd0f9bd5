"""Loads, transitions, delays and energies of every placed cell of a netlist."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from synth.errors import SynthesisError
from synth.liberty.cells import CellKind
from synth.liberty.models import CellModel, Tied
from synth.netlist import CONSTANT_NETS, Netlist, Placed
from synth.wires import Lengths, Wires

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


def annotate(netlist: Netlist, models: Mapping[str, CellModel], wires: Wires) -> Annotation:
    """Loads of all nets and transitions along the netlist, inputs before outputs."""
    lengths = wires.lengths(netlist)
    loads = _loads(netlist, models, wires, lengths)
    slews: dict[int, float] = defaultdict(lambda: PORT_SLEW_NS)
    for placed in in_order(netlist, models):
        model = models[placed.cell]
        for output in model.outputs:
            if output not in placed.pins:
                continue
            net = placed.pins[output]
            found = [
                drive.transition.at(slews[placed.pins[pin]], loads[net])
                for row in model.steps(tied_inputs(model, placed.pins))
                for pin, step in zip(model.inputs, row, strict=True)
                for drive in step.drives
                if drive.output == output
            ]
            if found:
                slews[net] = max(sum(found) / len(found), 0.002)
    return Annotation(loads, slews, lengths)


def tied_inputs(model: CellModel, pins: Mapping[str, int]) -> Tied:
    """Inputs of a placed cell that are constant, each with its value."""
    return tuple(
        (pin, CONSTANT_NETS[pins[pin]]) for pin in model.inputs if pins[pin] in CONSTANT_NETS
    )


def _loads(
    netlist: Netlist, models: Mapping[str, CellModel], wires: Wires, lengths: Lengths
) -> dict[int, float]:
    loads: dict[int, float] = defaultdict(float)
    loads.update({net: wires.capacitance_ff(um) for net, um in lengths.um.items()})
    for placed in netlist.placed:
        for pin, capacitance in models[placed.cell].capacitance_ff.items():
            loads[placed.pins[pin]] += capacitance
    outside_ff = wires.capacitance_ff(lengths.outside_um) + wires.outside_ff
    for port in netlist.ports.values():
        if port.direction == "output":
            for net in port.nets:
                loads[net] += outside_ff
    return loads


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
