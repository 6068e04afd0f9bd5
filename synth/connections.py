"""Refuses netlists that cannot be simulated: open inputs, nets with two drivers or none."""

from collections.abc import Iterator, Mapping

from synth.errors import SynthesisError
from synth.liberty.models import CellModel
from synth.netlist import CONSTANT_NETS, Netlist

_Use = tuple[int, str]
"""A net, and what drives or reads it."""


def check_connections(netlist: Netlist, models: Mapping[str, CellModel]) -> None:
    """Check every pin of every placed cell.

    Nets driven by units that were left out of the netlist are 0; in a complete netlist every net
    must have a driver.

    Raises
    ------
    SynthesisError
        If an input is open, a cell has no such pin, or a net has several drivers or none.
    """
    try:
        _check_pins(netlist, models)
        _check_drivers(netlist, models)
    except SynthesisError as error:
        raise SynthesisError(f"{netlist.name}: {error}; the netlist is damaged") from error


def _check_pins(netlist: Netlist, models: Mapping[str, CellModel]) -> None:
    for placed in netlist.placed:
        model = models[placed.cell]
        for pin in model.inputs:
            if pin not in placed.pins:
                raise SynthesisError(f"{pin} of {placed.name} is open")
        if unknown := placed.pins.keys() - {*model.inputs, *model.outputs}:
            raise SynthesisError(f"{placed.cell} has no pin {min(unknown)}")


def _check_drivers(netlist: Netlist, models: Mapping[str, CellModel]) -> None:
    driven: dict[int, str] = dict.fromkeys(CONSTANT_NETS, "a constant")
    for net, what in _uses(netlist, models, drives=True):
        if net in driven:
            raise SynthesisError(f"net {net} is driven by {driven[net]} and by {what}")
        driven[net] = what
    for net, what in _uses(netlist, models, drives=False):
        if net not in driven and netlist.is_whole:
            raise SynthesisError(f"nothing drives net {net}, which {what} reads")


def _uses(netlist: Netlist, models: Mapping[str, CellModel], *, drives: bool) -> Iterator[_Use]:
    way = "input" if drives else "output"  # seen from outside
    for name, port in netlist.ports.items():
        yield from ((net, f"port {name}") for net in port.nets if port.direction == way)
    for placed in netlist.placed:
        model = models[placed.cell]
        for pin in model.outputs if drives else model.inputs:
            if pin in placed.pins:
                yield placed.pins[pin], f"{pin} of {placed.name}"
