"""The generated Verilog has no lint warnings except the waived ones."""

from pathlib import Path

import pytest
from pyslang.driver import Driver

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
    EngineConfig(rows=2, cols=3, ncu="dsp"),
    EngineConfig(rows=1, cols=1, ncu="dsp", precisions=(16,)),
    EngineConfig(rows=2, cols=2, counters=False),
    EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,), fifo_depth=64),
]

SLANG_REASONS = {
    "sign-conversion": "two's complement: signed and unsigned vectors of one width are equal bits",
    "arith-op-mismatch": "Yosys leaves out leading zeros and signs, which the language fills in",
    "bitwise-op-mismatch": "signed and unsigned vectors of one width under a bitwise operator",
    "dangling-else": "Yosys nests `if (enable) if (!reset) a else b`; an else is the last if's",
}
"""Warnings of slang, with all enabled, about the Verilog, and why each is harmless."""


def slang_findings(verilog: Path) -> set[str]:
    """All kinds of warnings and errors of slang, including those that are off by default."""
    driver = Driver()
    driver.addStandardArgs()
    assert driver.parseCommandLine(f'slang "{verilog}"')
    assert driver.processOptions()
    assert driver.parseAllSources()
    engine = driver.diagEngine
    found = driver.createCompilation().getAllDiagnostics()
    return {engine.getOptionName(each.code) or engine.formatMessage(each) for each in found}


@pytest.fixture(scope="module", params=CONFIGS, ids=name_of)
def verilog(request, tmp_path_factory):
    return generate(request.param, tmp_path_factory.mktemp("lint")).verilog


def test_verilator_has_nothing_but_the_listed_reasons(verilog):
    assert warnings(verilog) == []


def test_slang_has_nothing_but_the_listed_reasons(verilog):
    assert slang_findings(verilog) - SLANG_REASONS.keys() == set()


@pytest.mark.parametrize(
    ("fault", "rule", "slang"),
    [
        ("wire forgotten;", "UNUSEDSIGNAL", None),
        (
            "wire cut; assign cut = s_axil_wdata; assign s_axil_rresp[0] = cut;",
            "WIDTHTRUNC",
            "width-trunc",
        ),
    ],
)
def test_other_faults_are_found(fault, rule, slang, tmp_path):
    verilog = generate(EngineConfig(rows=2, cols=2), tmp_path).verilog
    before, top, rest = verilog.read_text().partition(f"module {TOP}(")
    verilog.write_text(before + top + rest.replace("endmodule", f"{fault}\nendmodule", 1))
    found = [line for line in warnings(verilog) if line.startswith("%Warning")]
    assert [rule in line for line in found] == [True], found
    assert slang_findings(verilog) - SLANG_REASONS.keys() == ({slang} if slang else set())
