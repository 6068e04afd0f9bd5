"""The emitted bench passes on the emitted Verilog, as an integrator would run it, and can fail."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from qcnpe.generate import generate
from qcnpe.spec.config import EngineConfig
from sim.verilator import tool_path
from tests.qcnpe.rtl.oracle import name_of

PAGE = (Path(__file__).parents[2] / "docs" / "chip.md").read_text(encoding="utf-8")

CONFIGS = [
    EngineConfig(rows=2, cols=3),
    EngineConfig(rows=1, cols=1, table_segments=8, accumulator_bits=24),
    EngineConfig(rows=3, cols=5, ncu="gated", precisions=(16, 9, 2)),
    EngineConfig(rows=4, cols=2, ncu="plain16", precisions=(16,)),
    EngineConfig(rows=4, cols=4, ncu="dsp", counters=False),
]

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)


def printed(program: str) -> str:
    """The block of commands on the page about chips that calls a program."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (found,) = (block for block in blocks if re.search(rf"\b{program} ", block))
    return found


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder, the programs of this Python's environment before others."""
    programs = tool_path().rpartition(os.pathsep)[2]
    return subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join([programs, os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )


def change_one_digit(bench: Path) -> str:
    """Damage a recorded result; returns the message that the bench must then print."""
    vectors = bench / "results.hex"
    beats = vectors.read_text().splitlines()
    middle = len(beats) // 2
    beats[middle] = beats[middle][:-1] + ("0" if beats[middle][-1] != "0" else "1")
    vectors.write_text("\n".join(beats))
    return f"FAIL: result beat {middle} is"


def assert_passes(run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("PASS: ") == 1


def assert_fails(run: subprocess.CompletedProcess[str], message: str) -> None:
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
    assert "PASS" not in run.stdout


def test_fusesoc_as_printed(tmp_path):
    block = printed("fusesoc")
    assert_passes(shell(block, tmp_path))
    message = change_one_digit(tmp_path / "build" / "verilog" / "bench")
    assert_fails(shell(block.splitlines()[-1], tmp_path), message)


def test_fusesoc_lints_a_core_with_a_name(tmp_path):
    generate(EngineConfig(rows=4, cols=4), tmp_path / "core", "left")
    command = 'PATH="$(qcnpe tool-path):$PATH" fusesoc --cores-root core run --target=lint'
    run = shell(f"{command} left_qcnpe", tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


@needs_icarus
def test_icarus_as_printed(tmp_path):
    generate(EngineConfig(rows=4, cols=4), tmp_path / "build" / "verilog")
    block = printed("iverilog")
    assert_passes(shell(block, tmp_path))
    message = change_one_digit(tmp_path / "build" / "verilog" / "bench")
    assert_fails(shell(block, tmp_path), message)


@needs_icarus
@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_icarus_has_nothing_to_say(config, tmp_path):
    """The Verilog is Verilog 2005; the bench, which is SystemVerilog, has no warning either."""
    made = generate(config, tmp_path, "left")
    plain = f"iverilog -g2005 -Wall -t null -s left_qcnpe_engine {made.verilog.name}"
    bench = "iverilog -g2012 -Wall -I bench -s testbench -o bench.vvp"
    run = shell(
        f"{plain}; {bench} {made.verilog.name} bench/testbench.sv; cd bench; vvp -n ../bench.vvp",
        tmp_path,
    )
    assert_passes(run)
    assert run.stderr == ""
