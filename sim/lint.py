"""Verilator's lint of the generated Verilog, with the reasons of `qcnpe/lint.vlt`."""

import subprocess
from pathlib import Path

from qcnpe.generate import LINT_WAIVERS, TOP
from sim.verilator import find_verilator, tool_environment


def warnings(verilog: Path, top: str = TOP) -> list[str]:
    """Warnings and errors of Verilator's `-Wall` that have no reason in `lint.vlt`.

    Parameters
    ----------
    verilog : file that `qcnpe generate` wrote
    top : name of the top module
    """
    program = find_verilator() / "verilator"
    command = [str(program), "--lint-only", "-Wall", "--top-module", top]
    with tool_environment():
        done = subprocess.run(
            [*command, str(LINT_WAIVERS), str(verilog)], capture_output=True, text=True, check=False
        )
    found = [line for line in done.stderr.splitlines() if line.startswith("%")]
    return found or ([f"Verilator ended with {done.returncode}"] if done.returncode else [])
