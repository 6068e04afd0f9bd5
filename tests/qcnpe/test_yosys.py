"""Yosys in a process of its own, in any folder and with any variables in the user's shell."""

import pytest

from qcnpe.spec.errors import ToolError
from qcnpe.yosys import run_yosys
from tests.hostile import WEIRD, hostile_modules, hostile_variables

DESIGN = """
module top(input clk, input [7:0] a, output reg [7:0] error);
  always @(posedge clk) error <= a * 3;
endmodule
"""


def test_folder_of_any_name_and_hostile_surroundings(tmp_path, monkeypatch):
    """ABC is started by a shell, on files in Yosys' temporary folder."""
    folder = tmp_path / WEIRD
    folder.mkdir()
    (folder / "top.v").write_text(DESIGN)
    hostile_modules(folder)
    hostile_modules(tmp_path)
    hostile_variables(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    run_yosys(
        ["read_verilog top.v", "synth -top top", "abc -g cmos", "write_verilog out.v"], folder
    )
    assert "module top" in (folder / "out.v").read_text()


def test_failure_tells_the_cause_not_a_signal_s_name(tmp_path):
    (tmp_path / "top.v").write_text(DESIGN)
    log = tmp_path / "yosys.log"
    with pytest.raises(ToolError, match=r"Yosys: ERROR: No such command: spam .*; log: ") as error:
        run_yosys(["read_verilog top.v", "synth -top top", "spam"], tmp_path, log=log)
    assert str(log) in str(error.value)
    assert "Executing SYNTH pass" in log.read_text()
