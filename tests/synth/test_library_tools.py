"""Independent readers of the committed library: a Liberty parser, Yosys and ABC."""

import subprocess
import sys
from pathlib import Path

import pytest
from liberty.parser import parse_liberty

LIBERTY = Path(__file__).parents[2] / "synth" / "tech" / "axnn45.lib"
# abc maps to single-output cells only and says so of every library that has adders; the other one
# is about its own optimisation script.
EXPECTED = ("ABC: Warning: Detected", "ABC: Warning: The network is combinational")
ACCUMULATOR = """
module accumulator(input clk, input [7:0] a, output reg [11:0] q);
  always @(posedge clk) q <= q + a;
endmodule
"""


def test_a_liberty_parser_reads_every_group() -> None:
    parsed = parse_liberty(LIBERTY.read_text())
    cells = {str(c.args[0]): c for c in parsed.get_groups("cell")}
    adder = cells["FA_XL"]
    sum_pin = next(p for p in adder.get_groups("pin") if p.args[0] == "S")
    assert len(sum_pin.get_groups("internal_power")) == 12
    assert float(adder["area"]) == pytest.approx(4.256)


def test_yosys_maps_an_accumulator_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "in.v").write_text(ACCUMULATOR)
    script = f"""
read_verilog in.v
read_liberty -lib {LIBERTY}
synth -flatten -top accumulator
dfflibmap -liberty {LIBERTY}
abc -liberty {LIBERTY}
hilomap -hicell TIEHI_X1 Z -locell TIELO_X1 Z
clean
check -assert -mapped
stat -liberty {LIBERTY}
write_verilog -noattr out.v
"""
    (tmp_path / "x.ys").write_text(script)
    code = "from pyosys import libyosys as y; y.run_pass('script x.ys', y.Design())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log[-2000:]
    warnings = [s for s in log.splitlines() if "arning" in s]
    assert not [s for s in warnings if not s.startswith(EXPECTED)], warnings
    assert "DFFQ_" in (tmp_path / "out.v").read_text()
