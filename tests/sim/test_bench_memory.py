"""The benchmark of autonomous engines: its networks, its least traffic, and the file it resumes."""

import json
import sys

import pytest

from qcnpe.placement.build import place_network
from qcnpe.spec.memory.cycles import RunCount, Span
from sim import bench_memory
from sim.bench_memory import ENGINE, MEMORIES, Runs, main, network_figures
from sim.bench_networks import WORKLOADS


@pytest.mark.parametrize(
    ("name", "millions"),
    [("lenet", 0.413), ("resnet8", 12.51), ("ds_cnn", 2.66), ("mobilenet", 7.49)],
)
def test_networks_are_the_published_ones(name, millions):
    """By their multiplications; those of LeNet are its layers', the others MLPerf Tiny's."""
    assert WORKLOADS[name].macs / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("width", [16, 4])
def test_least_traffic_of_lenet(width):
    """64 pictures: a weight for each connection that training can change, by hand."""
    weights = 6 * 25 + 6 + 16 * 6 * 25 + 16 + 400 * 120 + 120 * 10
    biases = 6 + 6 + 16 + 16 + 120 + 10
    words = (weights * width / 16 + biases) / 64 + 32 * 32 * width / 16 + 10
    assert WORKLOADS["lenet"].compulsory_words(width) == pytest.approx(words)


def test_every_neuron_has_the_width():
    net = WORKLOADS["lenet"].integers(4, ENGINE, seed=1)
    assert {int(width) for layer in net.layers for width in layer.precision.flat} == {4}


def runs_of(*cycles):
    """Runs of so many cycles, each counted as 2000, with six bus words each."""
    counters = [{"run_cycles": each, "words_read": 4, "words_written": 2} for each in cycles]
    counted = RunCount((Span(1500, 0, 1, 0), Span(500, 0, 3, 2)))
    runs = (counted,) * len(cycles)
    return Runs(runs, tuple(counters), pictures=64, mismatches=1, processor_s=0.5)


def test_differences_are_counted():
    checks = runs_of(2000, 2001, 2000, 1990).checks
    assert (checks["miscounts"], checks["mismatches"]) == (2, 1)
    assert (checks["run_cycles"], checks["counted_run_cycles"]) == (1990, 2000)
    assert checks["simulated_cycles_per_s"] == 2 * (2000 + 2001 + 2000 + 1990)


def test_figures_of_a_picture():
    """Four runs of 16 pictures: 24 bus words of four words in 64 pictures."""
    workload = WORKLOADS["lenet"]
    placement = place_network(workload.integers(16, ENGINE, seed=1), MEMORIES, workload.batch)
    found = network_figures(placement, workload, 16, runs_of(9000, 8000, 8000, 32000))
    assert (found["cycles"], found["first_cycles"]) == (2000, 9000)
    assert (found["external_words"], found["further_words"]) == (1.5, 1.5)
    assert found["utilisation"] == pytest.approx(413_104 / (2000 * 256), abs=1e-4)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command with networks that are measured at once; the figures of the file."""
    out = tmp_path / "memory.json"
    measured = []

    def measure(name, _workload, seed, _report):
        measured.append(name)
        return {f"{name}.{width}b.cycles": seed for width in (16, 4)} | {f"{name}.4b.miscounts": 0}

    monkeypatch.setattr(bench_memory, "measure_network", measure)
    monkeypatch.setattr(bench_memory, "measure_arrays", lambda *_: {"lenet.4x4.mismatches": 3})
    monkeypatch.setattr(bench_memory, "measure_pictures", lambda *_: {})

    def call(*arguments):
        measured.clear()
        monkeypatch.setattr(sys, "argv", ["bench_memory", "--out", str(out), *arguments])
        status = main()
        return status, list(measured), json.loads(out.read_text())["figures"]

    return call


def test_one_network_leaves_the_others_as_they_are(run):
    run("--net", "resnet8")
    status, measured, figures = run("--net", "ds_cnn", "--seed", "1")
    assert (status, measured) == (0, ["ds_cnn"])
    assert {"resnet8.16b.cycles", "ds_cnn.16b.cycles"} <= set(figures)


def test_what_is_interrupted_goes_on(run):
    run("--net", "lenet", "--net", "objects")
    status, measured, figures = run("--resume")
    assert measured == ["resnet8", "ds_cnn", "mobilenet"]
    assert status == 1
    assert (figures["mismatches"], figures["miscounts"]) == (3, 0)


def test_all_are_measured_anew(run):
    run("--net", "lenet")
    assert run("--seed", "2")[1] == list(WORKLOADS)


def test_another_seed_is_not_mixed_in(run):
    run("--net", "lenet")
    assert "lenet.16b.cycles" not in run("--net", "objects", "--seed", "2")[2]
