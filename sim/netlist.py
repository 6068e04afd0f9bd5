"""The board's top as cells of an FPGA, with the vendor's models of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.boards.design import BRIDGE, bridge_rtlil
from qcnpe.spec.link import LinkConfig
from qcnpe.yosys import run_yosys

SYNTHESIS = {"ice40": "synth_ice40 -dsp", "ecp5": "synth_ecp5 -noabc9"}
"""Yosys' command for each family, as the board builds call it."""


def board_netlist(link: LinkConfig, family: str) -> str:
    """Verilog of the synthesised bridge and of the cells that it is made of.

    Parameters
    ----------
    link : engine, clock, rate and memories
    family : one of `SYNTHESIS`
    """
    with TemporaryDirectory() as scratch:
        source, netlist = Path(scratch, "bridge.il"), Path(scratch, "netlist.v")
        source.write_text(bridge_rtlil(link))
        run_yosys(
            [
                f"read_rtlil {source}",
                f"{SYNTHESIS[family]} -top {BRIDGE}",
                "delete t:$scopeinfo",
                f"write_verilog -noattr {netlist}",
            ]
        )
        return netlist.read_text()


def cell_models(family: str) -> Path:
    """The file of the vendor cells' models that comes with Yosys."""
    import pyosys

    return Path(pyosys.__file__).parent.joinpath("share", family, "cells_sim.v")
