"""A mapped netlist as placed cells on numbered nets, read from Yosys' JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synth.errors import SynthesisError

CONSTANTS = {"0": 0, "1": 1, "x": 0, "z": 0}
"""Nets 0 and 1 are the constants; Yosys numbers signals from 2 on."""

CONSTANT_NETS = {0: 0, 1: 1}
"""Value of each net that is constant."""


@dataclass(frozen=True)
class Placed:
    """A placed cell.

    Attributes
    ----------
    name : in the netlist
    cell : in the library
    pins : net of each pin
    """

    name: str
    cell: str
    pins: Mapping[str, int]


@dataclass(frozen=True)
class Port:
    """A port of the netlist: direction (`input` or `output`) and its nets, lowest bit first."""

    direction: str
    nets: tuple[int, ...]


@dataclass(frozen=True)
class Netlist:
    """Cells, ports and names of nets of one flat module.

    Attributes
    ----------
    name : of the module
    placed : its cells
    ports : by name
    signals : nets of every named signal, lowest bit first
    """

    name: str
    placed: tuple[Placed, ...]
    ports: Mapping[str, Port]
    signals: Mapping[str, tuple[int, ...]]

    @property
    def net_count(self) -> int:
        """One more than the highest net."""
        used = [net for cell in self.placed for net in cell.pins.values()]
        used += [net for port in self.ports.values() for net in port.nets]
        return max(used, default=1) + 1


def read_netlist(path: Path, module: str) -> Netlist:
    """Read a module from the JSON that Yosys' `write_json` makes.

    Raises
    ------
    SynthesisError
        If the file is missing or has no such module.
    """
    try:
        body = json.loads(path.read_text())["modules"][module]
    except (OSError, ValueError, KeyError) as error:
        raise SynthesisError(f"{path}: no netlist of {module}; run the synthesis again") from error
    return Netlist(
        name=module,
        placed=tuple(
            Placed(name, cell["type"], {pin: _net(bits[0]) for pin, bits in pins.items() if bits})
            for name, cell in body["cells"].items()
            if (pins := cell["connections"]) is not None
        ),
        ports={
            name: Port(port["direction"], tuple(map(_net, port["bits"])))
            for name, port in body["ports"].items()
        },
        signals={
            name: tuple(map(_net, signal["bits"])) for name, signal in body["netnames"].items()
        },
    )


def _net(bit: int | str) -> int:
    return CONSTANTS[bit] if isinstance(bit, str) else bit
