"""The generated Verilog is free of lint but for the reasons that are listed."""

import pytest

from qcnpe.generate import TOP, generate
from qcnpe.spec.config import EngineConfig
from sim.lint import warnings
from tests.qcnpe.rtl.oracle import name_of

CONFIGS = [
    EngineConfig(),
    EngineConfig(rows=3, cols=2, ncu="gated", precisions=(16, 9, 2)),
    EngineConfig(rows=2, cols=3, ncu="plain16", precisions=(16,)),
    EngineConfig(rows=1, cols=1),
    EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,)),
]


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_nothing_but_the_listed_reasons(config, tmp_path):
    assert warnings(generate(config, tmp_path).verilog) == []


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("wire forgotten;", "UNUSEDSIGNAL"),
        ("wire cut; assign cut = s_axil_wdata; assign s_axil_rresp[0] = cut;", "WIDTHTRUNC"),
    ],
)
def test_other_faults_are_found(fault, rule, tmp_path):
    verilog = generate(EngineConfig(rows=2, cols=2), tmp_path).verilog
    before, top, rest = verilog.read_text().partition(f"module {TOP}(")
    verilog.write_text(before + top + rest.replace("endmodule", f"{fault}\nendmodule", 1))
    found = [line for line in warnings(verilog) if line.startswith("%Warning")]
    assert [rule in line for line in found] == [True], found
