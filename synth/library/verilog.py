"""Verilog models of the cells with specify blocks, for gate-level simulation with SDF delays."""

import re
from collections.abc import Sequence

from synth.library.cells import Cell

HEADER = """\
// axnn45 cells: functions and path delays for gate-level simulation.
// Written by synth.library.characterize; delays are zero until an SDF file sets them (IOPATH only:
// see synth.library.sdf). Registers start at zero.
`timescale 1ns/1ps
"""


def write_verilog(cells: Sequence[Cell]) -> str:
    """All cells as Verilog modules."""
    return HEADER + "".join(_module(c) for c in cells)


def _module(cell: Cell) -> str:
    ports = ", ".join(
        [*(f"input {p}" for p in cell.inputs), *(f"output {p}" for p in cell.outputs)]
    )
    body = {"flipflop": _flipflop, "latch": _latch, "clockgate": _clock_gate}.get(cell.kind, _logic)
    lines = ["", "`celldefine", f"module {cell.name} ({ports});", *body(cell)]
    paths = _paths(cell)
    if paths:
        lines += ["  specify", *paths, "  endspecify"]
    return "\n".join([*lines, "endmodule", "`endcelldefine", ""])


def _logic(cell: Cell) -> list[str]:
    return [f"  assign {o} = {verilog_expression(f)};" for o, f in cell.functions.items()]


def verilog_expression(function: str) -> str:
    """A Liberty expression in Verilog: only `!` and constants differ."""
    if function in ("0", "1"):
        return f"1'b{function}"
    return re.sub(r"!", "~", function)


def _flipflop(cell: Cell) -> list[str]:
    lines = ["  reg IQ = 1'b0;", f"  always @(posedge {cell.clock}) IQ <= {cell.data};"]
    return lines + _state_outputs(cell)


def _latch(cell: Cell) -> list[str]:
    lines = [
        "  reg IQ = 1'b0;",
        f"  always @({cell.clock} or {cell.data}) if ({cell.clock}) IQ <= {cell.data};",
    ]
    return lines + _state_outputs(cell)


def _clock_gate(cell: Cell) -> list[str]:
    return [
        "  reg IQ = 1'b0;",
        f"  always @({cell.clock} or {cell.data}) if (!{cell.clock}) IQ <= {cell.data};",
        f"  assign {cell.outputs[0]} = {cell.clock} & IQ;",
    ]


def _state_outputs(cell: Cell) -> list[str]:
    text = {"IQ": "IQ", "IQN": "~IQ"}
    return [f"  assign {o} = {text[f]};" for o, f in cell.functions.items()]


def _paths(cell: Cell) -> list[str]:
    pins = cell.inputs if cell.kind in ("logic", "latch") else (cell.clock,)
    return [f"    ({p} => {o}) = (0, 0);" for o in cell.outputs for p in pins if p]
