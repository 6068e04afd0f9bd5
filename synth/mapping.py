"""The Yosys passes that turn a unit into cells: of a Liberty file, or generic gates without one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from synth.liberty import Library, full_adder_pins

GATE_EQUIVALENT_UM2 = 0.798
"""Area of a two-input NAND: NAND2_X1 of the Nangate 45 nm Open Cell Library."""

MIN_GATED_FLIPFLOPS = 4
"""Fewer flip-flops than this get a multiplexer instead of a clock gate, which would cost more."""

DELAY_TARGET_PS = 1500
"""What gates are sized for: a cycle at 500 MHz less setup, clock skew and a margin."""

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

_ABC = (
    "strash;ifraig;scorr;dc2;dch,-f;map,-a,-B,0.9,-D,{delay};topo;"
    "upsize,-D,{delay};dnsize,-D,{delay};stime,-p"
)

_QUICK_ABC = "strash;dch,-f;map,-a,-B,0.9,-D,{delay}"


_ADDERS = "library_full_adders"
"""Name of the design that maps full adders."""

_TO_FULL_ADDERS = ("maccmap", f"techmap -map %{_ADDERS}", "opt_clean")
"""Sums of products as rows of full adders, each of them a cell."""

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
    """Yosys' own gates, for machines and first looks without a cell library."""

    name = "generic gates"
    flipflop = "$_DFF_P_"
    notes = (
        "no cell library: areas are gate equivalents"
        f" (transistors / {_NAND2_TRANSISTORS}) of {GATE_EQUIVALENT_UM2} um2",
    )
    files: ClassVar[Mapping[str, Path]] = {_RESET_FILE: _RESET_MAP}
    read = ()
    passes = (*_TO_GATES, *_TO_FINE_GATES, "abc -g cmos", "opt_clean -purge")

    def area_um2(self, cell: str) -> float:
        """Area of a gate."""
        return _TRANSISTORS[cell] / _NAND2_TRANSISTORS * GATE_EQUIVALENT_UM2

    def is_flipflop(self, cell: str) -> bool:
        """Whether a gate stores a bit."""
        return cell.startswith("$_DFF")


@dataclass(frozen=True)
class LibertyCells:
    """Cells of a Liberty file.

    Parameters
    ----------
    library : the parsed file
    quick : map once, without sizing and without a search for better structures
    places_adders : multipliers are made of the library's full adders, if it has any; our own are
        placed by hand, and what is left there is smaller as gates
    """

    library: Library
    quick: bool = False
    places_adders: bool = False

    @property
    def name(self) -> str:
        """The library's name."""
        return self.library.name

    @property
    def flipflop(self) -> str:
        """The smallest flip-flop."""
        return min(self.library.flipflops, key=self.library.area_um2)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the library lacks, and what was done instead."""
        missing = ["quick: gates are not sized"] if self.quick else []
        if not self.library.full_adders:
            missing.append("no full adder in the library: adders are made of gates")
        if self.full_adder:
            missing.append(f"multipliers are made of full adders {self.full_adder}")
        if not self.library.clock_gates:
            missing.append("no clock gate in the library: enables are multiplexers")
        return tuple(missing)

    @property
    def files(self) -> Mapping[str, Path]:
        """Files that `read` and `passes` need in Yosys' working folder, by the names there."""
        return {**GenericGates.files, LIBRARY_FILE: self.library.path.absolute()}

    @property
    def read(self) -> tuple[str, ...]:
        """Commands that make the cells known."""
        return (*self._adder_map(), f"read_liberty -lib -ignore_miss_func {LIBRARY_FILE}")

    @property
    def passes(self) -> tuple[str, ...]:
        """From a unit's RTL to a netlist of cells."""
        script = _QUICK_ABC if self.quick else _ABC
        return (
            *_TO_GATES,
            *(_TO_FULL_ADDERS if self.full_adder else ()),
            *_TO_FINE_GATES,
            *self._clock_gating(),
            f"dfflibmap -liberty {LIBRARY_FILE}",
            "opt_clean",
            f"abc -liberty {LIBRARY_FILE} -script +{script.format(delay=DELAY_TARGET_PS)}",
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
        """The full adder that multipliers are made of, if they are."""
        return (
            self.library.full_adders[0] if self.places_adders and self.library.full_adders else None
        )

    def _adder_map(self) -> tuple[str, ...]:
        if not self.full_adder:
            return ()
        cell = self.library.cells[self.full_adder]
        pins = dict(zip(full_adder_pins(cell), "ABCXY", strict=True))
        connected = ", ".join(f".{pin}({port}[bit])" for pin, port in pins.items())
        text = _FULL_ADDER_MAP.format(cell=self.full_adder, pins=connected)
        return (text, f"design -stash {_ADDERS}")

    def _clock_gating(self) -> tuple[str, ...]:
        if not self.library.clock_gates:
            return ()
        cell = self.library.clock_gates[0]
        pins = ":".join(clock_gate_pins(self.library, cell))
        return (f"clockgate -pos {cell} {pins} -min_net_size {MIN_GATED_FLIPFLOPS}",)


def clock_gate_pins(library: Library, cell: str) -> tuple[str, str, str]:
    """(enable, clock, gated clock) pins of a clock gate."""
    roles = {}
    for pin in library.cells[cell].of_kind("pin"):
        for role in ("enable", "clock", "out"):
            if pin.attributes.get(f"clock_gate_{role}_pin") == "true":
                roles[role] = pin.name
    return roles["enable"], roles["clock"], roles["out"]
