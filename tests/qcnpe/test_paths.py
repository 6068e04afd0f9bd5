"""AXI allows no combinational path between a bus's inputs and its outputs (IHI 0022, A3.1.1)."""

import pytest

from qcnpe.generate import AUTONOMOUS_TOP, TOP, autonomous_verilog, top_verilog
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.top import Top
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.yosys import run_yosys
from tests.qcnpe.rtl.oracle import name_of

CONFIGS = [
    EngineConfig(rows=2, cols=3),
    EngineConfig(rows=2, cols=1, ncu="gated", precisions=(16, 9), counters=False),
    EngineConfig(rows=2, cols=1, ncu="dsp"),
    EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,), fifo_depth=64),
]


def inputs_behind_outputs(verilog, top, folder):
    """Inputs of a module that reach an output through gates alone, registers being the ends."""
    (folder / "design.v").write_text(verilog)
    run_yosys(
        [
            "read_verilog design.v",
            f"hierarchy -check -top {top}",
            "proc",
            "flatten",
            "memory_map",
            "dffunmap",  # every register is a $dff, or a $sdff before this
            "select -write inputs.txt o:* %ci*:-$dff i:* %i",
        ],
        folder,
    )
    return {line.partition("/")[2] for line in (folder / "inputs.txt").read_text().splitlines()}


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_no_input_reaches_an_output_in_its_cycle(config, tmp_path):
    assert inputs_behind_outputs(top_verilog(Top(config)), TOP, tmp_path) == set()


def test_no_input_of_an_autonomous_engine_reaches_an_output_in_its_cycle(tmp_path):
    engine = EngineConfig(rows=2, cols=1, ncu="plain16", precisions=(16,), table_segments=8)
    memories = MemoryConfig(
        engine=engine,
        banks=2,
        activation_rows=2,
        weight_rows=2,
        parameter_rows=2,
        lane_rows=2,
        tap_rows=2,
        write_rows=2,
        descriptor_rows=2,
    )
    verilog = autonomous_verilog(Autonomous(memories))
    assert inputs_behind_outputs(verilog, AUTONOMOUS_TOP, tmp_path) == set()


def test_a_path_is_seen(tmp_path):
    """Through a submodule, and beside a register and an input that only a register sees."""
    verilog = """
        module gate(input a, input b, output y); assign y = a & b; endmodule
        module port(input clk, input valid, input hidden, output ready, output reg seen);
            gate inner(.a(valid), .b(seen), .y(ready));
            always @(posedge clk) if (hidden) seen <= valid;
        endmodule
    """
    assert inputs_behind_outputs(verilog, "port", tmp_path) == {"valid"}
