"""The board's bridge as cells of an FPGA, with the vendor's models of the cells."""

from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.boards.design import BRIDGE, bridge_rtlil
from qcnpe.boards.family import Family
from qcnpe.spec.link import LinkConfig
from qcnpe.yosys import run_yosys, yosys_folder
from sim.ecp5_cells import BLOCK_MEMORY, CELLS


def board_netlist(link: LinkConfig, family: Family) -> str:
    """Verilog of the synthesised bridge and of its cells.

    Parameters
    ----------
    link : engine, clock, rate and memories
    family : of the FPGA
    """
    with TemporaryDirectory(prefix="qcnpe-") as name:
        scratch = Path(name)
        (scratch / "bridge.il").write_text(bridge_rtlil(link, family))
        commands = (
            "read_rtlil bridge.il",
            *family.synthesis(BRIDGE),
            f"chtype -set {BLOCK_MEMORY} t:DP16KD",
            "write_verilog -noattr netlist.v",
        )
        run_yosys(commands, scratch)
        return (scratch / "netlist.v").read_text() + CELLS


def cell_models(family: Family) -> Path:
    """The file of the vendor cells' models that comes with Yosys."""
    return yosys_folder().joinpath("share", family.name, "cells_sim.v")
