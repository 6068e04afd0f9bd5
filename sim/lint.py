"""Verilator's lint of the generated Verilog, with the waivers of `qcnpe/lint.vlt`."""

from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.generate import LINT_WAIVERS, TOP
from sim.verilator import verilate


def warnings(verilog: Path, top: str = TOP) -> list[str]:
    """Warnings and errors of Verilator's `-Wall` that `lint.vlt` does not waive.

    Parameters
    ----------
    verilog : file that `qcnpe generate` wrote
    top : name of the top module
    """
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        for file in (LINT_WAIVERS, verilog):
            (folder / file.name).symlink_to(file.absolute())
        options = ["--lint-only", "-Wall", "--top-module", top]
        done = verilate([*options, LINT_WAIVERS.name, verilog.name], folder, check=False)
    found = [line for line in done.stderr.splitlines() if line.startswith("%")]
    return found or ([f"Verilator ended with {done.status}"] if done.status else [])
