"""The race and its report, on made-up contestants and on a small network."""

import time
from dataclasses import asdict, replace

import numpy as np
import pytest

from axnn.cpu import Predictor
from axnn.cpu.benchmark import peers, speed
from axnn.cpu.benchmark.bench import choice_figures, figures_of, means
from axnn.cpu.benchmark.compare import Choice
from axnn.cpu.benchmark.speed import FirstCall, Speed, Timing, first_calls, race, take_turns
from axnn.cpu.benchmark.speed_report import draw_speed, speed_table
from axnn.cpu.benchmark.subjects import SUBJECTS, find_subject
from axnn.cpu.kernels.plain import run
from axnn.cpu.kernels.stages import lower
from axnn.cpu.kinds import exact_assignment
from axnn.data import Split
from axnn.errors import RunError
from qcnpe.spec.documents import read_document, write_document
from qcnpe.spec.errors import ConfigError, FormatError
from tests.axnn.cpu.tiny_nets import make_network, pooled, random_inputs, summed


def test_slower_contestant_takes_longer():
    def sleeper(seconds):
        return lambda inputs: time.sleep(seconds)

    inputs = np.zeros((1, 1), np.float32)
    found = take_turns({"slow": sleeper(0.02), "fast": sleeper(0.005)}, inputs, turns=3)
    assert {label: len(values) for label, values in found.items()} == {"slow": 3, "fast": 3}
    assert min(found["slow"]) >= 0.02
    assert min(found["fast"]) >= 0.005
    assert min(found["fast"]) < min(found["slow"])


def test_slow_contestants_have_fewer_turns_and_fast_ones_more_calls(monkeypatch):
    now, calls = [0.0], {"slow": 0, "fast": 0}

    def contestant(label, seconds):
        def classify(inputs):
            calls[label] += 1
            now[0] += seconds

        return classify

    made = {"slow": contestant("slow", 2.0), "fast": contestant("fast", 0.001)}
    found = take_turns(made, np.zeros((1, 1), np.float32), clock=lambda: now[0])
    assert [len(values) for values in found.values()] == [5, 5]  # not eleven of two seconds
    assert found["slow"] == pytest.approx([2.0] * 5)
    assert found["fast"] == pytest.approx([0.001] * 5)
    # Two calls to warm up and to see how long one takes; then for 4 ms in each turn.
    assert calls == {"slow": 2 + 5, "fast": 2 + 5 * 4}


def test_ratios_are_taken_turn_by_turn(monkeypatch):
    """A load that slows every contestant of a turn down leaves the ratio as it is."""
    load = np.array([1.0, 5.0, 1.0, 2.0, 1.0])
    seconds = {"exact": 4e-6 * load, "ONNX Runtime": 6e-6 * load, "AxNN 0.5 %": 2e-6 * load}
    monkeypatch.setattr(speed, "BATCHES", (2,))
    clocks = []

    def turns(contestants, inputs, *, clock):
        clocks.append(clock)
        return {label: values.tolist() for label, values in seconds.items()}

    monkeypatch.setattr(speed, "take_turns", turns)
    split = Split(np.zeros((9, 1, 1, 1), np.float32), np.zeros(9, np.int64))
    found = race(speed.Field({}, {}, {}), split, seed=0)
    assert clocks == [time.process_time, time.perf_counter]  # of one thread and of two
    timing = next(one for one in found if one.label == "AxNN 0.5 %")
    assert (timing.threads, timing.batch) == (1, 2)
    assert (timing.speedup, timing.over_onnxruntime) == (2.0, 3.0)
    # Of a sample, two to a call: turns of 1, 1, 1, 2 and 5 us.
    assert (timing.low_us, timing.median_us, timing.high_us) == (1.0, 1.0, 2.0)


def test_first_call_compiles_within_ten_seconds_and_later_ones_not_at_all(tmp_path):
    network = make_network(summed())
    Predictor.exact(network).save(tmp_path / "predictor.npz")
    first, cached = first_calls(tmp_path / "predictor.npz")
    assert cached.processor_seconds < first.processor_seconds < 10


LABELS = ("exact", "uniform", "AxNN 0.5 %", "AxNN 2.5 %", "AxNN 7.5 %", "PyTorch")
OTHERS = ("ONNX Runtime", "ONNX Runtime int8")


def made_up_result(name, gain=2.0):
    timings = tuple(
        Timing(label, 1, batch, 10.0, 9.0, 12.0, gain, 3 * gain)
        for label in LABELS + OTHERS
        for batch in (64, 256)
    )
    return Speed(
        app=name,
        seed=1,
        machine="made up",
        versions={},
        samples=100,
        accuracy=dict.fromkeys(LABELS + OTHERS, 0.95) | {"AxNN 0.5 %": 0.9475},
        cost=dict.fromkeys(LABELS[:5], 1.0),
        channels={},
        first_call=FirstCall(5.0, 4.0),
        cached_call=FirstCall(5.0, 4.0),
        timings=timings,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": {"exact": 1.0}}, "'AxNN 0.5 %' has no accuracy"),
        ({"timings": [{}]}, "missing required field `label`"),
        ({"first_call": None}, "Expected `object`"),
        ({"accuracy": {"exact": "NaN"}}, "Expected `float`"),
    ],
)
def test_damaged_measurements_are_one_clear_error(tmp_path, change, message):
    document = asdict(made_up_result("digits"))
    write_document(tmp_path / "speed.json", document)
    assert read_document(tmp_path / "speed.json", Speed) == made_up_result("digits")
    write_document(tmp_path / "speed.json", document | change)
    with pytest.raises(FormatError, match=message):
        read_document(tmp_path / "speed.json", Speed)


def test_figures_want_every_contestant():
    result = made_up_result("digits")
    fewer = replace(result, timings=result.timings[2:])
    with pytest.raises(FormatError, match="digits: exact has not been measured"):
        figures_of(fewer)


def test_figures_are_points_and_ratios():
    figures = figures_of(made_up_result("digits"))
    assert figures["digits.speedup_vs_exact"] == 2.0
    assert figures["digits.speedup_vs_onnxruntime"] == 6.0
    assert figures["digits.loss"] == pytest.approx(0.25)
    assert figures["digits.batch"] == 64
    assert figures_of(made_up_result("mlp"))["mlp.batch"] == 256


def test_mean_is_over_the_six_applications():
    figures: dict[str, float] = {}
    for index, name in enumerate(SUBJECTS):
        figures |= figures_of(made_up_result(name, gain=index + 1.0))
    assert len(SUBJECTS) == 7  # the six and the MLP, which comes last and does not count
    assert means(figures)["mean.speedup_vs_exact"] == 3.5


def test_choices_become_percent():
    choice = Choice("random", 0.5, 10.0, 1.25, 0.5, 0.75, 0.7)
    figures = choice_figures("letters", [choice])
    assert figures["choice.letters.0.5.random.test"] == 70.0
    assert figures["choice.letters.0.5.random.us"] == 1.25


def test_table_and_figure_name_every_contestant(tmp_path):
    result = made_up_result("digits")
    table = speed_table(result)
    assert table.row_count == len(LABELS + OTHERS)
    draw_speed(result, tmp_path / "speed.png", batch=64)
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_subject():
    with pytest.raises(ConfigError, match=r"application must be one of digits, .*, not 'nothing'"):
        find_subject("nothing")


def test_every_subject_squashes():
    for subject in SUBJECTS.values():
        functions = {layer.function for layer in subject.network.layers}
        assert functions == {"tanh", "identity"}


def test_missing_peers_are_named(monkeypatch):
    monkeypatch.setattr(peers, "missing_peers", lambda: ["onnxruntime"])
    with pytest.raises(RunError, match=r"needs onnxruntime: pip install 'axnn\[cpu,speed\]'"):
        peers.check_peers()


@pytest.mark.parametrize("spec", [summed(), pooled("sigmoid")])
def test_plain_numpy_needs_no_numba(spec):
    network = make_network(spec)
    program = lower(network, exact_assignment(network), (1.0,) * 9)
    inputs = random_inputs(network, 40)
    found = run(program, inputs.reshape(40, -1))
    np.testing.assert_allclose(found, network.predict(inputs), atol=5e-6)
