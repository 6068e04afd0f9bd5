"""The emitted core through FuseSoC, as an integrator would take it."""

import subprocess
import sys
from pathlib import Path

from qcnpe.generate import generate
from qcnpe.spec.config import EngineConfig
from sim.verilator import tool_environment


def test_core_lints(tmp_path):
    generate(EngineConfig(rows=4, cols=4), tmp_path / "core")
    fusesoc = Path(sys.executable).with_name("fusesoc")
    with tool_environment():
        run = subprocess.run(
            [fusesoc, "--cores-root", "core", "run", "--target=lint", "axnn:qcnpe:qcnpe_engine"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
