"""The Yosys passes that map a unit to the cells of a Liberty file, or to generic gates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from qcnpe.yosys import for_abc
from synth.errors import LibertyError
from synth.liberty.cells import Cell, CellKind, ClockGatePins
from synth.liberty.library import Library
from synth.liberty.plain import plain_text
from synth.wires import Wires, committed_wires

GATE_EQUIVALENT_UM2 = 0.798
"""Area of a two-input NAND: NAND2_X1 of the Nangate 45 nm Open Cell Library."""

MIN_GATED_FLIPFLOPS = 4
"""Fewer flip-flops than this get a multiplexer, since a clock gate would take more energy."""

MIN_GATE_KINDS = 3
"""ABC refuses a library whose gates have fewer different functions."""

DELAY_TARGET_PS = 1500
"""Delay for which gates are sized: a cycle at 500 MHz less setup, clock skew and a margin."""

_TRANSISTORS = {
    "$_NOT_": 2,
    "$_NAND_": 4,
    "$_NOR_": 4,
    "$_AOI3_": 6,
    "$_OAI3_": 6,
    "$_AOI4_": 8,
    "$_OAI4_": 8,
    "$_XOR_": 10,
    "$_XNOR_": 10,
    "$_NMUX_": 10,
    "$_MUX_": 12,
    "$_DFF_P_": 24,
    "$_DFFE_PP_": 36,
}
"""Static CMOS; a flip-flop as two latches of clocked inverters, its enable as a multiplexer."""

_NAND2_TRANSISTORS = 4


LIBRARY_FILE = "library.lib"
"""Name by which the passes know the Liberty file in Yosys' working folder."""

_RESET_FILE = "reset.v"

_TO_GATES = (
    "synth -flatten -noabc -run begin:fine",
    "opt -full",
    "memory_map",
    "setattr -unset init w:*",  # silicon has no value before the reset
    "opt -full",
    f"techmap -map {_RESET_FILE}",
    "opt -full -nodffe -nosdff",  # or it would find the resets again
)

_TO_FINE_GATES = (
    "techmap",
    "opt -fast -nodffe -nosdff",
    "dfflegalize -cell $_DFFE_PP_ x t:$_DFFE_*",
    "dfflegalize -cell $_DFF_P_ x t:$_SDFF_*",
    "opt_clean",
)

_ABC = "strash;ifraig;scorr;dc2;dch,-f;map,-a,-B,0.9,-D,{delay}"
_SIZING_ABC = ";topo;upsize,-D,{delay};dnsize,-D,{delay};stime,-p"

_QUICK_ABC = "strash;dch,-f;map,-a,-B,0.9,-D,{delay}"


_ADDERS = "library_full_adders"
"""Name of the design that maps full adders."""

_TO_FULL_ADDERS = ("maccmap", f"techmap -map %{_ADDERS}", "opt_clean")
"""Passes that map sums of products to rows of full adders, each of them a cell."""

_RESET_MAP = Path(__file__).parent / "cells" / _RESET_FILE

_FULL_ADDER_MAP = """read_verilog <<END_OF_MAP
(* techmap_celltype = "$fa" *)
module full_adder_row (A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar bit;
  generate for (bit = 0; bit < WIDTH; bit = bit + 1) begin : row
    {cell} adder ({pins});
  end endgenerate
endmodule
END_OF_MAP"""


@dataclass(frozen=True)
class GenericGates:
    """Yosys' generic gates, for use without a cell library."""

    name = "generic gates"
    notes = (
        "no cell library: areas are gate equivalents"
        f" (transistors / {_NAND2_TRANSISTORS}) of {GATE_EQUIVALENT_UM2} um2",
    )
    files: ClassVar[Mapping[str, str]] = {_RESET_FILE: _RESET_MAP.read_text()}
    read = ()
    to_gates = (*_TO_GATES, *_TO_FINE_GATES)
    to_cells = ("abc -g cmos", "opt_clean -purge")

    def area_um2(self, cell: str) -> float:
        """Area of a gate."""
        return _TRANSISTORS[cell] / _NAND2_TRANSISTORS * GATE_EQUIVALENT_UM2

    def is_flipflop(self, cell: str) -> bool:
        """Whether a gate stores a bit."""
        return cell.startswith("$_DFF")


@dataclass(frozen=True)
class LibertyCells:
    """Cells of a library.

    Parameters
    ----------
    library : the parsed files
    quick : map once, without sizing and without a search for better structures
    places_adders : map multipliers to the library's full adders, if it has any; not for our own
        library, whose adders `adder_tree` places, and whose remaining adders are smaller as gates
    wires : between placed cells; they do not influence the mapping
    root_gates : gate the clock at the root of each unit, too

    Raises
    ------
    LibertyError
        If no netlist can be made of the cells.
    """

    library: Library
    quick: bool = False
    places_adders: bool = False
    wires: Wires = field(default_factory=committed_wires)
    root_gates: bool = False

    def __post_init__(self) -> None:
        gates = [cell for cell in self.library.for_mapping if cell.table]
        lacking = [
            what
            for what, is_there in (
                ("flip-flop", bool(self._flipflops)),
                ("inverter", any(cell.is_inverter for cell in gates)),
                ("gate such as a NAND of two inputs", any(c.is_two_input_gate for c in gates)),
                ("third kind of gate", len({cell.table for cell in gates}) >= MIN_GATE_KINDS),
            )
            if not is_there
        ]
        if lacking:
            raise LibertyError(
                f"{self.library.where}: no {', no '.join(lacking)} that may be placed; give a"
                " library that has it, or all files of the kit"
            )

    @property
    def _flipflops(self) -> list[Cell]:
        cells = self.library.for_mapping
        return [cell for cell in cells if cell.kind is CellKind.FLIPFLOP]

    @property
    def name(self) -> str:
        """The library's name."""
        return self.library.name

    @cached_property
    def _sizes_gates(self) -> bool:
        """Whether gates are sized: that needs delays, and buffers to increase their drive."""
        has_buffer = any(cell.is_buffer for cell in self.library.for_mapping)
        return not self.quick and self.library.is_timed and has_buffer

    @property
    def sizes_trees(self) -> bool:
        """Whether netlists with adder trees are sized as a whole; ours are sized by hand."""
        return self.places_adders and self._sizes_gates

    @property
    def notes(self) -> tuple[str, ...]:
        """Missing features of the library, and their replacements."""
        notes = [] if self._sizes_gates else [f"{self._why_not_sized}: gates are not sized"]
        if not self.library.full_adders:
            notes.append("no full adder in the library: adders are made of gates")
        if self.full_adder:
            notes.append(f"multipliers are made of full adders {self.full_adder}")
        if not self.library.clock_gates:
            notes.append("no clock gate in the library: enables are multiplexers")
        damaged = list(self.library.damaged.values())
        if damaged:
            notes.append(f"{len(damaged)} damaged cells are left out, the first: {damaged[0]}")
        return tuple(notes)

    @property
    def _why_not_sized(self) -> str:
        if self.quick:
            return "quick"
        return f"no {'buffer' if self.library.is_timed else 'delays'} in the library"

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Texts by name of the files that these commands need in Yosys' working folder."""
        return {**GenericGates.files, LIBRARY_FILE: plain_text(self.library)}

    @property
    def read(self) -> tuple[str, ...]:
        """Commands that read the cells."""
        return (
            "libcache -scl -disable",  # by path and time: it would miss a changed file
            *self._adder_map(),
            f"read_liberty -lib -ignore_miss_func {LIBRARY_FILE}",
        )

    @property
    def to_gates(self) -> tuple[str, ...]:
        """Passes from a unit's RTL to gates of two inputs and flip-flops with enables."""
        adders = _TO_FULL_ADDERS if self.full_adder else ()
        return (*_TO_GATES, *adders, *_TO_FINE_GATES)

    @property
    def to_cells(self) -> tuple[str, ...]:
        """Passes from there to a netlist of cells."""
        script = (_QUICK_ABC if self.quick else _ABC) + (_SIZING_ABC if self._sizes_gates else "")
        return (
            *self._clock_gating(),
            f"dfflibmap -liberty {LIBRARY_FILE}",
            "opt_clean",
            f"abc -liberty {for_abc(LIBRARY_FILE)} -script +{script.format(delay=DELAY_TARGET_PS)}",
            "opt_clean -purge",
        )

    def area_um2(self, cell: str) -> float:
        """Area of a cell."""
        return self.library.area_um2(cell)

    def is_flipflop(self, cell: str) -> bool:
        """Whether a cell stores a bit on an edge."""
        return cell in self.library.flipflops

    @property
    def full_adder(self) -> str | None:
        """The full adder to which multipliers are mapped, if there is one."""
        return (
            self.library.full_adders[0] if self.places_adders and self.library.full_adders else None
        )

    def _adder_map(self) -> tuple[str, ...]:
        if not self.full_adder:
            return ()
        cell = self.library.cells[self.full_adder]
        pins = dict(zip(cell.full_adder_pins, "ABCXY", strict=True))
        connected = ", ".join(f".{pin}({port}[bit])" for pin, port in pins.items())
        text = _FULL_ADDER_MAP.format(cell=self.full_adder, pins=connected)
        return (text, f"design -stash {_ADDERS}")

    def _clock_gating(self) -> tuple[str, ...]:
        if not self.library.clock_gates:
            return ()
        cell = self.library.clock_gates[0]
        pins = clock_gate_pins(self.library, cell)
        tied = f" -tie_lo {pins.test}" if pins.test else ""
        ports = f"{pins.enable}:{pins.clock}:{pins.output}"
        return (f"clockgate -pos {cell} {ports}{tied} -min_net_size {MIN_GATED_FLIPFLOPS}",)


def clock_gate_pins(library: Library, cell: str) -> ClockGatePins:
    """Pins of a clock gate; `LibertyError` if the cell is not one."""
    gate = library.cells[cell].gate
    if gate is None:
        raise LibertyError(f"{cell} is no clock gate; name one that is")
    return gate
