"""Building simulations: reuse, and messages of failures."""

import os
import sys

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ToolError, ToolMissingError, TransportError
from qcnpe.spec.model import execute
from sim.runner import build
from sim.transport import SimulationTransport
from sim.verilator import DEFAULT_FOLDER, PROGRAM, Design, libpython
from sim.verilator import build as build_design
from tests.hostile import WEIRD, hostile_modules, hostile_variables

TINY = EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,), table_segments=8)


@pytest.mark.xdist_group("sim4")
def test_a_simulation_is_built_once(engine4):
    first = build(engine4.config, DEFAULT_FOLDER)
    stamp = (first / PROGRAM).stat().st_mtime_ns
    assert build(engine4.config, DEFAULT_FOLDER) == first
    assert (first / PROGRAM).stat().st_mtime_ns == stamp


def test_names_variables_and_modules_around_do_not_matter(tmp_path, monkeypatch):
    """All conditions at once, from the build to the results; this needs its own build."""
    folder = tmp_path / WEIRD
    folder.mkdir()
    hostile_modules(folder)
    hostile_variables(monkeypatch, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = os.umask(0)
    try:
        with SimulationTransport(TINY, folder=folder / "sim") as engine:
            streams = random_streams(TINY, 20, 1)
            results = engine.exchange(streams)
    finally:
        os.umask(before)
    np.testing.assert_array_equal(results, execute(TINY, streams).results)
    runtime, simulation = sorted((folder / "sim").iterdir(), reverse=True)  # no log, no scratch
    assert not [path for path in simulation.iterdir() if path.suffix in (".gch", ".o")]
    assert not any(path.stem.startswith("qcnpe-") for path in folder.iterdir())

    other = Design(top="top", sources={"top.v": "module top(input clk); endmodule"})
    (runtime / "verilated.o").write_text("taken from the other build")
    with pytest.raises(ToolError, match=r"verilated\.o:1: syntax error"):
        build_design("other", ["1"], folder / "sim", lambda: other)
    (runtime / "verilated.o").chmod(0o666)
    with pytest.raises(ToolError, match=r"verilated\.o: others can write this program"):
        build_design("other", ["2"], folder / "sim", lambda: other)

    (simulation / PROGRAM).chmod(0o777)
    with pytest.raises(ToolError, match="simulation: others can write this program"):
        SimulationTransport(TINY, folder=folder / "sim")
    (simulation / PROGRAM).write_text("#!/bin/sh\necho 'no such library' >&2; exit 127\n")
    (simulation / PROGRAM).chmod(0o755)
    with (
        pytest.raises(TransportError, match=r"stopped: simulation: no such library.*; log: "),
        SimulationTransport(TINY, folder=folder / "sim") as engine,
    ):
        engine.exchange(streams)


def test_failed_build_tells_the_cause_and_leaves_its_log(tmp_path):
    """The first line with "error" in it is a warning: a signal has that name."""
    text = "module top(input [1:0] a, output error); assign error = a; none inner(); endmodule"
    design = Design(top="top", sources={"top.v": text})
    with pytest.raises(ToolError, match=r"Verilator: %Error.*'none'; log: ") as error:
        build_design("broken", [text], tmp_path / "sim", lambda: design)
    (log,) = (tmp_path / "sim").iterdir()
    assert str(log) in str(error.value)
    assert "%Warning-WIDTH" in log.read_text()


def test_failed_compiler_tells_the_cause_and_leaves_its_log(tmp_path, monkeypatch):
    compiler = tmp_path / "bin" / "g++"
    compiler.parent.mkdir()
    compiler.write_text("#!/bin/sh\necho \"x.h:1:2: error: no 'error'\" >&2; exit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:{os.environ['PATH']}")
    design = Design(top="top", sources={"top.v": "module top(input clk); endmodule"})
    with pytest.raises(ToolError, match=r"make: x\.h:1:2: error: no 'error'; log: .*\.log"):
        build_design("broken", ["x"], tmp_path / "sim", lambda: design)


def test_missing_programs_are_named_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sim.runner.top_verilog", lambda _: pytest.fail("work was done"))
    both = r"make is missing: apt-get install make; g\+\+ is missing: apt-get install g\+\+"
    with pytest.raises(ToolMissingError, match=both):
        build(EngineConfig(rows=64, cols=64), tmp_path / "sim")


def test_missing_libpython_is_named(monkeypatch):
    monkeypatch.setattr("find_libpython.find_libpython", lambda: None)
    name = rf"libpython3\.{sys.version_info[1]}"
    with pytest.raises(ToolMissingError, match=f"{name} is missing: apt-get install {name}"):
        libpython()


def test_unwritable_folder_is_one_line(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match=str(file)):
        build(TINY, file / "sim")
