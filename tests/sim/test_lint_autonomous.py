"""The generated Verilog of autonomous engines has no lint warnings except the waived ones."""

import pytest

from qcnpe.generate import AUTONOMOUS_TOP, autonomous_verilog
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from sim.lint import warnings
from tests.sim.test_lint import SLANG_REASONS, slang_findings

CONFIGS = [
    MemoryConfig.default(EngineConfig(rows=3, cols=2)),
    MemoryConfig(
        engine=EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,)),
        banks=2,
        activation_rows=65536,
        lane_rows=1,
        bus_bits=128,
        address_bits=64,
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["3x2", "1x1"])
def test_nothing_but_the_listed_reasons(config, tmp_path):
    verilog = tmp_path / "autonomous.v"
    verilog.write_text(autonomous_verilog(Autonomous(config)))
    assert warnings(verilog, AUTONOMOUS_TOP) == []
    assert slang_findings(verilog) - SLANG_REASONS.keys() == set()
