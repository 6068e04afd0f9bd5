"""The emitted core through FuseSoC, as an integrator would take it."""

import subprocess
import sys
from pathlib import Path

import pytest

from qcnpe.generate import generate
from qcnpe.spec.config import EngineConfig
from sim.verilator import tool_environment

CONFIGS = [EngineConfig(rows=2, cols=3), EngineConfig(rows=4, cols=2, ncu="gated")]


def fusesoc(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the core in `folder`/core; what FuseSoC builds stays in `folder`."""
    program = Path(sys.executable).with_name("fusesoc")
    with tool_environment():
        return subprocess.run(
            [program, "--cores-root", "core", "run", f"--target={target}", "qcnpe"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )


def test_core_lints(tmp_path):
    generate(EngineConfig(rows=4, cols=4), tmp_path / "core")
    run = fusesoc(tmp_path, "lint")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.ncu)
def test_core_simulates_and_checks_itself(config, tmp_path):
    generate(config, tmp_path / "core")
    run = fusesoc(tmp_path, "sim")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("PASS: ") == 1

    vectors = tmp_path / "core" / "bench" / "results.hex"
    beats = vectors.read_text().splitlines()
    middle = len(beats) // 2
    beats[middle] = beats[middle][:-1] + ("0" if beats[middle][-1] != "0" else "1")
    vectors.write_text("\n".join(beats))
    run = fusesoc(tmp_path, "sim")
    assert run.returncode != 0
    assert f"FAIL: result beat {middle} is" in run.stdout + run.stderr
    assert "PASS" not in run.stdout
