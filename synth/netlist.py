"""A mapped netlist as placed cells on numbered nets, read from Yosys' JSON."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from qcnpe.spec.documents import read_document
from qcnpe.spec.errors import FormatError
from synth.errors import SynthesisError

CONSTANTS = {"0": 0, "1": 1, "x": 0, "z": 0}
"""Nets 0 and 1 are the constants; Yosys numbers signals from 2 on."""

CONSTANT_NETS = {0: 0, 1: 1}
"""Value of each net that is constant."""

MAX_NETS = 1 << 22
"""Largest number of nets; a simulation has arrays of that size."""

LIMIT_BYTES = 256 << 20
"""Largest file that is read; the netlist of an activation function unit (AFU) has 2 MB."""


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
class Instance:
    """A unit inside a unit.

    Attributes
    ----------
    name : in the netlist
    unit : its module
    pins : nets of each port, lowest bit first
    """

    name: str
    unit: str
    pins: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Netlist:
    """Cells, ports and names of nets of one flat module.

    Attributes
    ----------
    name : of the module
    placed : its cells
    ports : by name
    signals : nets of every named signal, lowest bit first
    instances : other units inside it, whose cells are not in `placed`
    """

    name: str
    placed: tuple[Placed, ...]
    ports: Mapping[str, Port]
    signals: Mapping[str, tuple[int, ...]]
    instances: tuple[Instance, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it contains all units."""
        return not self.instances

    @property
    def net_count(self) -> int:
        """One more than the highest net."""
        used = [net for cell in self.placed for net in cell.pins.values()]
        used += [net for port in self.ports.values() for net in port.nets]
        used += [net for each in self.instances for nets in each.pins.values() for net in nets]
        return max(used, default=1) + 1

    @cached_property
    def sha256(self) -> str:
        """Digest of cells, connections and ports, whatever the names of cells and signals."""
        cells = [[placed.cell, sorted(placed.pins.items())] for placed in self.placed]
        ports = [[name, port.direction, port.nets] for name, port in sorted(self.ports.items())]
        return hashlib.sha256(json.dumps([cells, ports]).encode()).hexdigest()


def read_netlist(path: Path, module: str, apart: Collection[str] = ()) -> Netlist:
    """Read a module from the JSON that Yosys' `write_json` makes.

    Parameters
    ----------
    path : the file
    module : its name in the file
    apart : names of other units

    Raises
    ------
    SynthesisError
        If the file is missing, too large or not such a netlist, has no such module, or a cell's pin
        has several bits.
    """
    try:
        document = read_document(path, _File, limit_bytes=LIMIT_BYTES)
    except FormatError as error:
        what, _, _ = str(error).rpartition(";")
        raise SynthesisError(f"{what or error}; run the synthesis again") from error
    if module not in document.modules:
        raise SynthesisError(f"{path}: no netlist of {module}; run the synthesis again")
    body = document.modules[module]
    try:
        return Netlist(
            name=module,
            placed=tuple(
                _placed(name, cell) for name, cell in body.cells.items() if cell.type not in apart
            ),
            ports={
                name: Port(port.direction, _nets(name, port.bits))
                for name, port in body.ports.items()
            },
            signals={name: _nets(name, signal.bits) for name, signal in body.netnames.items()},
            instances=tuple(
                _instance(name, cell) for name, cell in body.cells.items() if cell.type in apart
            ),
        )
    except SynthesisError as error:
        raise SynthesisError(f"{path}: {error}; run the synthesis again") from error


def _placed(name: str, cell: "_Cell") -> Placed:
    pins = {pin: _nets(f"{pin} of {name}", bits) for pin, bits in cell.connections.items()}
    for pin, nets in pins.items():
        if len(nets) > 1:
            raise SynthesisError(f"{pin} of {name} has {len(nets)} bits, not one")
    return Placed(name, cell.type, {pin: nets[0] for pin, nets in pins.items() if nets})


def _instance(name: str, cell: "_Cell") -> Instance:
    pins = {pin: _nets(f"{pin} of {name}", bits) for pin, bits in cell.connections.items()}
    return Instance(name, cell.type, pins)


def _nets(what: str, bits: "list[_Bit]") -> tuple[int, ...]:
    nets = tuple(CONSTANTS[bit] if isinstance(bit, str) else bit for bit in bits)
    for bit, net in zip(bits, nets, strict=True):
        if isinstance(bit, int) and not len(CONSTANT_NETS) <= net < MAX_NETS:
            raise SynthesisError(f"{what}: net {net} is not {len(CONSTANT_NETS)}..{MAX_NETS - 1}")
    return nets


_Bit = int | Literal["0", "1", "x", "z"]


@dataclass(frozen=True, kw_only=True)
class _Wire:
    """Common part of ports and named nets; the numbering of bits is not used."""

    bits: list[_Bit]
    offset: int = 0
    upto: int = 0
    signed: int = 0
    hide_name: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Port(_Wire):
    direction: Literal["input", "output"]


@dataclass(frozen=True, kw_only=True)
class _Cell:
    type: str
    connections: dict[str, list[_Bit]]
    hide_name: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    port_directions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Module:
    ports: dict[str, _Port]
    cells: dict[str, _Cell]
    netnames: dict[str, _Wire]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _File:
    """A netlist as Yosys writes it, flat and of cells only."""

    modules: dict[str, _Module]
    creator: str = ""
