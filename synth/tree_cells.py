"""The cells of an adder tree, chosen from a library by their functions.

Our own library has cells that were made for the tree. Of another library, the smallest full adder
and the smallest gates are taken; gates that it lacks are left to the mapper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from synth.liberty.cells import Cell
from synth.liberty.library import Library
from synth.liberty.models import CellModel

KINDS = {
    "INV": (1, 0),
    "BUF": (0, 1),
    "NAND2": (1, 1, 1, 0),
    "NOR2": (1, 0, 0, 0),
    "AND2": (0, 0, 0, 1),
    "OR2": (0, 1, 1, 1),
    "XOR2": (0, 1, 1, 0),
    "XNOR2": (1, 0, 0, 1),
}
"""Truth tables of the gates that a tree needs, the first input the lowest bit."""

_GENERIC = {
    "INV": "$_NOT_",
    "BUF": "$_BUF_",
    "NAND2": "$_NAND_",
    "NOR2": "$_NOR_",
    "AND2": "$_AND_",
    "OR2": "$_OR_",
    "XOR2": "$_XOR_",
    "XNOR2": "$_XNOR_",
}

MAX_EFFORT = 12.0
"""Largest load of a gate, as a multiple of its own input's capacitance; buffers follow beyond."""

_SLEW_NS = 0.05
"""Transition time at which delays are compared."""

WIRE_SHARE = 1.5
"""Load of a net, with its wires, as a multiple of the pins that it feeds."""


@dataclass(frozen=True)
class GateCell:
    """A cell with one output: its name and pins."""

    cell: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class AdderCell:
    """A full adder.

    Attributes
    ----------
    cell : its name
    inputs : pins, the last one for the bit that arrives last
    carry, total : output pins
    inverts : whether both outputs are complements while the inputs are true; the outputs are true
        while the inputs are complements
    """

    cell: str
    inputs: tuple[str, str, str]
    carry: str
    total: str
    inverts: bool


@dataclass(frozen=True)
class Delays:
    """Delays of a tree's cells in ps, by which the order of additions is chosen.

    Attributes
    ----------
    adder_sum_ps, adder_carry_ps : of an adder in the tree
    last_sum_ps, last_carry_ps : of the last adder of a column
    gate_ps : of a simple gate
    """

    adder_sum_ps: float = 90
    adder_carry_ps: float = 50
    last_sum_ps: float = 90
    last_carry_ps: float = 45
    gate_ps: float = 25


class TreeCells:
    """The cells of a tree in our own library, by their drives."""

    delays = Delays()

    def gate(self, kind: str, drive: str) -> GateCell:
        """The cell of a kind, such as `NAND2`."""
        two = ("A", "B") if kind.startswith("X") else ("A1", "A2")
        inputs = ("A",) if kind == "INV" else two
        return GateCell(f"{kind}_{drive}", inputs, "Z" if kind in _TRUE else "ZN")

    def adder(self, drive: str) -> AdderCell | None:
        """The full adder, or None if there is none."""
        return AdderCell(f"FAI_{drive}", ("A", "B", "CI"), "CON", "SN", inverts=True)

    def line(self, kind: str, products: int) -> Sequence[GateCell]:
        """A gate that drives a line of products, and the buffers that follow it."""
        drive = next(drive for most, drive in LINE_DRIVES.items() if products <= most)
        return (self.gate(kind, drive),)

    @property
    def inverts(self) -> bool:
        """Whether the outputs of an adder are complements of what its inputs are."""
        return True

    @property
    def note(self) -> str:
        """The adders of neural compute units (NCUs), for the report."""
        adder = self.adder("XS")
        made_of = f"full adders {adder.cell}" if adder else "gates, since there is no full adder"
        return f"adder trees of NCUs are made of {made_of}"


_TRUE = ("AND2", "OR2", "XOR2")

LINE_DRIVES = {4: "XS", 8: "XL", 16: "X1"}
"""Drive of the gate of an activation line, by the largest number of products that it feeds."""

OWN_CELLS = TreeCells()
"""The cells of our own library."""

OWN_NAMES = frozenset(f"{cell}_XS" for cell in ("FAI", "INV", "NAND2", "NOR2", "XOR2", "XNOR2")) | {
    "AND2_XL",
    "OR2_XL",
}
"""Names by which our own library is recognised."""


@dataclass(frozen=True)
class ForeignCells(TreeCells):
    """The cells of a tree in any library; drives are chosen by loads, not by name.

    Parameters
    ----------
    library : the library
    """

    library: Library

    def gate(self, kind: str, drive: str) -> GateCell:
        """The smallest cell of a kind; one of Yosys' gates if there is none."""
        family = self._families[kind]
        return _as_gate(family[0]) if family else _generic(kind)

    def adder(self, drive: str) -> AdderCell | None:
        """The smallest full adder, with its fastest input last."""
        return self._adder

    @property
    def inverts(self) -> bool:
        """Whether the adder's outputs are complements of what its inputs are."""
        return self._adder is not None and self._adder.inverts

    def line(self, kind: str, products: int) -> Sequence[GateCell]:
        """A gate that drives a line of products, and the buffers that follow it."""
        family = self._families[kind]
        if not family:
            return (_generic(kind),)
        sink = self._families["NAND2"]
        load = WIRE_SHARE * products * _input_ff((sink or family)[0])
        strong = [cell for cell in family if load <= MAX_EFFORT * _input_ff(cell)]
        buffers = self._families["BUF"]
        if strong or not buffers:
            return (_as_gate((strong or family[-1:])[0]),)
        enough = [cell for cell in buffers if load <= MAX_EFFORT * _input_ff(cell)]
        return (_as_gate(family[0]), _as_gate((enough or buffers[-1:])[0]))

    @cached_property
    def delays(self) -> Delays:  # type: ignore[override]  # a class attribute above
        """Delays from the library's tables, at the load of another adder."""
        adder = self._adder
        if adder is None or not self.library.is_timed:
            return Delays()
        found = self.library.models([adder.cell])[adder.cell]
        load = WIRE_SHARE * min(found.capacitance_ff.values())
        total, carry = (_mean_ps(found, pin, load) for pin in (adder.total, adder.carry))
        gate = self.gate("NAND2", "")
        gate_ps = Delays.gate_ps
        if not gate.cell.startswith("$"):
            gate_ps = _mean_ps(self.library.models([gate.cell])[gate.cell], gate.output, load)
        return Delays(total, carry, total, carry, gate_ps)

    @cached_property
    def _adder(self) -> AdderCell | None:
        cells = self.library.for_mapping
        found = [(cell, cell.full_adder_pins, False) for cell in cells]
        found += [(cell, cell.inverting_full_adder_pins, True) for cell in cells]
        adders = [adder for adder in found if adder[1]]
        if not adders:
            return None
        cell, (*inputs, carry, total), inverts = min(adders, key=lambda each: each[0].area_um2)
        if self.library.is_timed and cell.is_timed:
            model = self.library.models([cell.name])[cell.name]
            load = WIRE_SHARE * min(model.capacitance_ff.values())
            inputs.sort(key=lambda pin: -_mean_ps(model, carry, load, pin))
        first, second, last = inputs
        return AdderCell(cell.name, (first, second, last), carry, total, inverts)

    @cached_property
    def _families(self) -> dict[str, list[Cell]]:
        """For each kind, the cells that may be placed, the smallest first."""
        cells = sorted(self.library.for_mapping, key=lambda cell: cell.area_um2)
        return {
            kind: [cell for cell in cells if cell.table == table] for kind, table in KINDS.items()
        }


def tree_cells(library: Library) -> TreeCells:
    """The cells of a tree in a library: our own if it has them."""
    return OWN_CELLS if library.cells.keys() >= OWN_NAMES else ForeignCells(library)


def _as_gate(cell: Cell) -> GateCell:
    (output,) = cell.outputs
    return GateCell(cell.name, cell.inputs, output)


def _generic(kind: str) -> GateCell:
    return GateCell(_GENERIC[kind], ("A", "B") if kind.endswith("2") else ("A",), "Y")


def _input_ff(cell: Cell) -> float:
    """Capacitance of the largest input."""
    return max(cell.capacitance_ff.values())


def _mean_ps(model: CellModel, output: str, load_ff: float, related: str = "") -> float:
    """Mean delay of an output over all states and edges, from one pin or from all."""
    delays = [
        1000 * drive.delay.at(_SLEW_NS, load_ff)
        for row in model.steps()
        for pin, step in zip(model.inputs, row, strict=True)
        for drive in step.drives
        if drive.output == output and related in ("", pin)
    ]
    return sum(delays) / len(delays) if delays else 0.0
