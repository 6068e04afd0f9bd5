"""The board's top as cells of an FPGA, with the vendor's models of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.boards.design import BRIDGE, bridge_rtlil
from qcnpe.boards.family import Family
from qcnpe.spec.link import LinkConfig
from qcnpe.yosys import run_yosys


def _pins(name: str, bits: int) -> str:
    return ", ".join(f"{name}{bit}" for bit in reversed(range(bits)))


_ECP5_MULTIPLIER = f"""
module MULT18X18D(
  input {_pins("A", 18)},
  input {_pins("B", 18)},
  input {_pins("C", 18)},
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output {_pins("P", 36)});
  wire signed [18:0] a = {{SIGNEDA & A17, {_pins("A", 18)}}};
  wire signed [18:0] b = {{SIGNEDB & B17, {_pins("B", 18)}}};
  assign {{{_pins("P", 36)}}} = a * b;
endmodule
"""
"""The ECP5's multiplier without registers, of which Yosys knows the ports only."""


def board_netlist(link: LinkConfig, family: Family) -> str:
    """Verilog of the synthesised bridge and of the cells that it is made of.

    Parameters
    ----------
    link : engine, clock, rate and memories
    family : of the FPGA
    """
    with TemporaryDirectory() as scratch:
        source, netlist = Path(scratch, "bridge.il"), Path(scratch, "netlist.v")
        source.write_text(bridge_rtlil(link, family))
        run_yosys(
            [
                f"read_rtlil {source}",
                *family.synthesis(BRIDGE),
                f"write_verilog -noattr {netlist}",
            ]
        )
        return netlist.read_text() + _ECP5_MULTIPLIER


def cell_models(family: Family) -> Path:
    """The file of the vendor cells' models that comes with Yosys."""
    import pyosys

    return Path(pyosys.__file__).parent.joinpath("share", family.name, "cells_sim.v")
