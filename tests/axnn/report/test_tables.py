"""Summary and tables say what they are given."""

import io
from dataclasses import asdict, replace

import pytest
from rich.console import Console

from axnn.flow.evaluate import Evaluation
from axnn.flow.judgement import RunFacts
from axnn.report import HardwareCheck, make_summary, summary_table
from qcnpe.spec.config import EngineConfig

EVALUATION = Evaluation(
    samples=200,
    float_accuracy=0.975,
    exact16_accuracy=0.97,
    axnn_accuracy=0.965,
    exact16_pj=3000.0,
    axnn_pj=400.0,
    exact16_memory_pj=30.0,
    axnn_memory_pj=5.0,
    exact16_external_pj=970.0,
    axnn_external_pj=395.0,
    exact16_cycles=150.5,
    axnn_cycles=26.0,
    layers_pj={"dense1": 300.0, "dense2": 100.0},
    precision_histogram={"16": 2, "4": 40},
)
FACTS = RunFacts(
    app="digits",
    seed=7,
    bound_percent=0.5,
    criterion="gradient",
    engine=EngineConfig(rows=4, cols=8, precisions=(16, 4)),
)
CHECK = HardwareCheck(images_checked=200, mismatches=0, exact16_cycles=30000, axnn_cycles=5200)


def shown(summary) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary_table("Digits", summary))
    return console.export_text()


def test_summary_with_hardware_has_its_figures():
    summary = make_summary(EVALUATION, FACTS, seconds={"train": 1.23456}, hardware=CHECK)
    assert summary == {
        "app": "digits",
        "seed": 7,
        "bound_percent": 0.5,
        "criterion": "gradient",
        "engine": asdict(FACTS.engine),
        "quality": "accuracy",
        "accuracy": {"float": 0.975, "exact16": 0.97, "axnn": 0.965},
        "images_checked": 200,
        "mismatches": 0,
        "precision_histogram": {"16": 2, "4": 40},
        "cycles": {"exact16": 30000, "axnn": 5200},
        "energy_ratio": 7.5,
        "energy_ratio_with_memory": pytest.approx(3030 / 405),
        "energy_ratio_of_system": 5.0,
        "seconds": {"train": 1.235},
    }


def test_summary_without_hardware_says_so():
    summary = make_summary(EVALUATION, FACTS, seconds={})
    assert (summary["images_checked"], summary["mismatches"]) == (0, None)
    assert summary["cycles"] == {"exact16": 150.5, "axnn": 26.0}
    assert "none" in shown(summary)


def test_table_shows_accuracies_ratio_and_mismatches():
    text = shown(make_summary(EVALUATION, FACTS, seconds={"train": 1.2}, hardware=CHECK))
    for figure in (
        "97.50%",
        "97.00%",
        "96.50%",
        "7.50 x",
        "7.48 x",
        "5.00 x",
        "2 at 16 bit, 40 at 4 bit",
        "30,000",
    ):
        assert figure in text
    assert "seconds, train" in text


def test_evaluations_of_earlier_versions_have_no_external_memory():
    earlier = replace(EVALUATION, exact16_external_pj=None, axnn_external_pj=None)
    assert earlier.energy_ratio_of_system is None
    assert "not priced" in shown(make_summary(earlier, FACTS, seconds={}))


def test_table_says_what_the_figures_are_of():
    text = shown(make_summary(EVALUATION, FACTS, seconds={}))
    for fact in ("digits, 7", "0.5 points, gradient", "4 x 8 NCUs (fused, 16/4 bits)"):
        assert fact in text
