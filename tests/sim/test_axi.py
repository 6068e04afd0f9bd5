"""The engine's buses, driven by AXI managers and subordinates in cocotb on the emitted Verilog."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from qcnpe.spec.config import EngineConfig
from sim.axi_bench import environment_of
from sim.cocotb_process import run_cocotb
from sim.runner import build
from tests.qcnpe.rtl.oracle import name_of

CONFIGS = [
    EngineConfig(rows=2, cols=3),
    EngineConfig(rows=4, cols=4, ncu="gated", precisions=(16, 12, 5)),
    EngineConfig(rows=2, cols=3, ncu="dsp"),
]


def failed_tests(results: Path) -> tuple[list[str], int]:
    """Names of cocotb's tests that did not pass, and how many there were."""
    cases = list(ElementTree.parse(results).iter("testcase"))
    wrong = ("failure", "error", "skipped")
    failed = [
        f"{case.get('name')}: {case.find(kind).get('message', kind)}"  # type: ignore[union-attr]
        for case in cases
        for kind in wrong
        if case.find(kind) is not None
    ]
    return failed, len(cases)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_buses(config, tmp_path):
    simulation = build(config, bare=True)
    results = run_cocotb("sim.axi_cases", simulation, tmp_path, environment_of(config))
    failed, count = failed_tests(results)
    assert not failed
    assert count > 40


def test_buses_of_a_large_engine(tmp_path):
    """Words of 256 bits, all streams idle at times or none; `plain16`, which builds fastest."""
    config = EngineConfig(rows=16, cols=16, ncu="plain16", precisions=(16,))
    resting = "run_idle_and_backpressure/idle=[05]/"  # the first and the last: none, all
    environment = environment_of(config) | {"COCOTB_TEST_FILTER": resting}
    results = run_cocotb("sim.axi_cases", build(config, bare=True), tmp_path, environment)
    failed, count = failed_tests(results)
    assert not failed
    assert count == 8


def test_a_failure_in_cocotb_is_seen(tmp_path):
    simulation = build(CONFIGS[0], bare=True)
    other = environment_of(replace(CONFIGS[0], accumulator_bits=39))
    environment = {**other, "COCOTB_TEST_FILTER": "read_identity"}
    results = run_cocotb("sim.axi_cases", simulation, tmp_path, environment)
    failed, count = failed_tests(results)
    assert count == 1
    assert failed[0].startswith("read_identity")
