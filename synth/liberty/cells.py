"""Cells: gates, flip-flops, latches and clock gates, with their pins, functions and delays."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from synth.liberty.arcs import Arc
from synth.liberty.logic import Function

_CARRY = (0, 0, 0, 1, 0, 1, 1, 1)
_SUM = (0, 1, 1, 0, 1, 0, 0, 1)

_ZERO = Function(("0",))


class CellKind(Enum):
    """Kind of a cell."""

    LOGIC = "logic"
    FLIPFLOP = "flip-flop"
    LATCH = "latch"
    CLOCK_GATE = "clock gate"


@dataclass(frozen=True)
class Storage:
    """The bit that a cell stores.

    Attributes
    ----------
    names : of the bit and of its complement in the functions of the outputs
    control : pin that controls when data are stored
    active : value of the control: a flip-flop stores data when the control changes to this value, a
        latch or clock gate while it has this value
    data : function that is stored
    clear, preset : functions that force a 0 or a 1 while they are true
    both : value that is stored while both are true
    """

    names: tuple[str, str]
    control: str
    active: int
    data: Function
    clear: Function = _ZERO
    preset: Function = _ZERO
    both: int = 0


@dataclass(frozen=True)
class ClockGatePins:
    """Pins of a clock gate; while `test` is high, the gate is open."""

    enable: str
    clock: str
    output: str
    test: str | None = None


@dataclass(frozen=True)
class Cell:
    """A cell that synthesis or simulation can work with.

    Attributes
    ----------
    name : of the cell
    kind : gate, flip-flop, latch or clock gate
    area_um2 : its area
    capacitance_ff : by input pin, in the file's order
    edges_ff : capacitance to a rising and to a falling input
    outputs : functions by pin, of inputs and the stored bit's names
    max_load_ff : by output pin, where the file has it
    timing : delays of the outputs
    storage : the stored bit, if there is one
    gate : pins of a clock gate
    for_mapping : whether a mapper may place it: false for cells marked `dont_use`, scan cells and
        cells between power domains
    """

    name: str
    kind: CellKind
    area_um2: float
    capacitance_ff: Mapping[str, float]
    edges_ff: Mapping[str, tuple[float, float]]
    outputs: Mapping[str, Function]
    max_load_ff: Mapping[str, float]
    timing: tuple[Arc, ...]
    storage: Storage | None = None
    gate: ClockGatePins | None = None
    for_mapping: bool = True

    @property
    def inputs(self) -> tuple[str, ...]:
        """Input pins."""
        return tuple(self.capacitance_ff)

    def delays_of(self, output: str) -> tuple[Arc, ...]:
        """Arcs from inputs to an output with all figures that sizing needs."""
        return tuple(
            arc
            for arc in self.timing
            if arc.pin == output and arc.delays_both_edges and arc.related in self.capacitance_ff
        )

    @property
    def is_timed(self) -> bool:
        """Whether every output that inputs can change has delays."""
        return all(self.delays_of(pin) for pin, f in self.outputs.items() if f.names)

    @property
    def is_inverter(self) -> bool:
        """Whether it is a gate that inverts its only input."""
        return self.table == (1, 0)

    @property
    def is_buffer(self) -> bool:
        """Whether it is a gate whose output equals its only input."""
        return self.table == (0, 1)

    @property
    def is_two_input_gate(self) -> bool:
        """Whether it is an AND, NAND, OR or NOR: with inverters enough for any logic."""
        return len(self.table) == 4 and sum(self.table) in (1, 3)

    @cached_property
    def table(self) -> tuple[int, ...]:
        """Truth table of a gate with one output; else empty."""
        if self.kind is not CellKind.LOGIC or len(self.outputs) != 1:
            return ()
        (function,) = self.outputs.values()
        return function.truth_table(self.inputs)

    @property
    def full_adder_pins(self) -> tuple[str, ...]:
        """Three inputs, carry and sum of a full adder, by their truth tables; else empty."""
        return self._adder_pins(_CARRY, _SUM)

    @property
    def inverting_full_adder_pins(self) -> tuple[str, ...]:
        """The same of a full adder whose outputs are complements."""
        # A full adder of complements gives complements: both tables are reversed.
        return self._adder_pins(_CARRY[::-1], _SUM[::-1])

    def _adder_pins(self, carry: tuple[int, ...], total: tuple[int, ...]) -> tuple[str, ...]:
        if self.kind is not CellKind.LOGIC or len(self.inputs) != 3 or len(self.outputs) != 2:
            return ()
        pins = {f.truth_table(self.inputs): pin for pin, f in self.outputs.items()}
        return (*self.inputs, pins[carry], pins[total]) if {carry, total} == set(pins) else ()
