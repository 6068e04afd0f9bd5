"""The model of the ECP5's block memory beside the memories that Yosys makes of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from qcnpe.boards.family import ECP5
from qcnpe.yosys import run_yosys
from sim.ecp5_cells import BLOCK_MEMORY, CELLS

WIDTHS = (1, 2, 4, 9, 18, 36)
"""Of a word; each has a mode of the cell."""

MEMORY = """
module memory_{width}(
  input clk, write, input [8:0] write_place, read_place, input [35:0] written,
  output reg [{high}:0] found);
  {style} reg [{high}:0] words [0:511];
  integer i;
  initial for (i = 0; i < 512; i = i + 1) words[i] = 36'd6364136223 * (i + 1) >> 5;
  always @(posedge clk) begin
    if (write) words[write_place] <= written[{high}:0];
    found <= words[read_place];
  end
endmodule
"""

BENCH = """
module bench;
  reg clk = 0, write;
  reg [8:0] write_place, read_place;
  reg [35:0] written;
  integer turn, faults = 0;
{wires}
{places}
  initial begin
    for (turn = 0; turn < 4000; turn = turn + 1) begin
      write = turn > 600 && $random;
      write_place = $random;
      read_place = turn < 512 ? turn : $random;
      written = {{$random, $random}};
      // Which word is read while it is written is not said.
      if (write && read_place == write_place) write = 0;
      #1 clk = 1;
      #1 if (turn > 0 && ({differs})) faults = faults + 1;
      clk = 0;
    end
    $display("%0d faults", faults);
  end
endmodule
"""


def modules(style: str) -> str:
    """A memory of each width; `style` goes before its words."""
    return "".join(MEMORY.format(width=width, high=width - 1, style=style) for width in WIDTHS)


def netlist(width: int, folder: Path) -> str:
    """The memory of a width as one cell."""
    (folder / "memories.v").write_text(modules('(* ram_style = "block", no_rw_check *)'))
    top = f"memory_{width}"
    commands = (
        "read_verilog memories.v",
        f"hierarchy -top {top}",
        *ECP5.synthesis(top),
        f"chtype -set {BLOCK_MEMORY} t:DP16KD",
        f"rename -top netlist_{width}",
        "write_verilog -noattr netlist.v",
    )
    run_yosys(commands, folder)
    text = (folder / "netlist.v").read_text()
    assert re.findall(r"\.DATA_WIDTH_[AB]\(32'd(\d+)\)", text) == [str(width)] * 2
    return text


def bench() -> str:
    """Both kinds of each width side by side."""
    ports = "clk, write, write_place, read_place, written"
    wires, places, differs = [], [], []
    for width in WIDTHS:
        wires.append(f"  wire [{width - 1}:0] found_{width}, expected_{width};")
        places.append(f"  memory_{width} m{width}({ports}, expected_{width});")
        places.append(f"  netlist_{width} n{width}({ports}, found_{width});")
        differs.append(f"found_{width} !== expected_{width}")
    return BENCH.format(
        wires="\n".join(wires), places="\n".join(places), differs=" || ".join(differs)
    )


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_words_of_every_width_are_those_of_the_memory(tmp_path):
    netlists = "".join(netlist(width, tmp_path) for width in WIDTHS)
    (tmp_path / "all.v").write_text(modules("") + netlists + CELLS + bench())
    program = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "all.v"]
    subprocess.run(program, cwd=tmp_path, check=True)
    found = subprocess.run(
        ["vvp", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "0 faults"
