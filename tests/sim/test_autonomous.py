"""Autonomous engines on the emitted Verilog, with an AXI4 memory of cocotb at their bus."""

from qcnpe.generate import AUTONOMOUS_TOP
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from sim.autonomous_bench import environment_of
from sim.cocotb_process import run_cocotb
from sim.runner import build_autonomous
from tests.sim.test_axi import failed_tests

SMALL = MemoryConfig(
    engine=EngineConfig(rows=3, cols=2, precisions=(16, 8, 4)),
    banks=4,
    activation_rows=5000,
    weight_rows=100,
)
OTHER = MemoryConfig(
    engine=EngineConfig(rows=2, cols=2, ncu="gated", precisions=(16, 12, 5)),
    banks=2,
    activation_rows=4096,
    weight_rows=128,
    bus_bits=128,
    address_bits=40,
)


def run(config, folder, only=""):
    """Names of cocotb's tests that failed, and the number of all that ran."""
    environment = environment_of(config) | ({"COCOTB_TEST_FILTER": only} if only else {})
    simulation = build_autonomous(config)
    cases = "sim.autonomous_cases"
    results = run_cocotb(cases, simulation, folder, environment, toplevel=AUTONOMOUS_TOP)
    return failed_tests(results)


def test_runs_and_their_ends(tmp_path):
    failed, count = run(SMALL, tmp_path)
    assert not failed
    assert count == 17


def test_another_bus(tmp_path):
    failed, count = run(OTHER, tmp_path, only="run_random_programs")
    assert not failed
    assert count == 4
