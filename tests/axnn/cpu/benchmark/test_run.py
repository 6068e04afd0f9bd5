"""A subject's run folder: what is there is not made again, and every bound holds."""

from dataclasses import replace

import numpy as np
import pytest

from axnn import data
from axnn.cpu.benchmark import speed_step as speed_steps
from axnn.cpu.benchmark.compare import SHARES, WAYS, compare_choices, uniform
from axnn.cpu.benchmark.run import BOUNDS_PERCENT, open_run
from axnn.cpu.benchmark.speed_step import speed_step
from axnn.cpu.benchmark.subjects import SUBJECTS, Subject
from axnn.cpu.choice import choose
from axnn.cpu.kinds import OMITTED, ladder
from axnn.data import Classes, DataSet, Split
from axnn.errors import RunError
from axnn.flow.apps import APPS
from axnn.flow.record import RunRecord
from axnn.nn.train import TrainingPlan, validate
from qcnpe.spec.errors import BusyError, QcnpeError
from tests.axnn.cpu.benchmark.test_speed import made_up_result
from tests.axnn.flow.test_lock import held_elsewhere
from tests.axnn.tiny import make_data, make_spec, poison_test_part

PLAN = TrainingPlan(epochs=6, batch=16, learning_rate=0.1)
SUBJECT = Subject(
    title="Made up", data="tiny", network=make_spec("tanh"), training=PLAN, retraining=PLAN,
    trials=3,
)  # fmt: skip
DATA = poison_test_part(make_data(noise=0.3))


@pytest.fixture(autouse=True)
def tiny_data(monkeypatch):
    monkeypatch.setattr(Subject, "load", lambda self, seed: DATA)


def opened(folder, **changes):
    heard: list[str] = []
    run = open_run(replace(SUBJECT, **changes), folder, seed=1, notify=heard.append)
    return run, heard


def test_bounds_hold_and_looser_ones_cost_no_more(tmp_path):
    run, _ = opened(tmp_path)
    found = run.approximated(lambda message: None)
    assert tuple(found) == BOUNDS_PERCENT
    costs = [run.exact.cost, *(one.cost for one in found.values())]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]
    for bound, one in found.items():
        quality = validate(one.model(), DATA.validation)[1]
        assert quality >= run.accuracy - bound / 100 - 1e-9


def test_each_bound_goes_on_from_the_tighter_one(tmp_path, monkeypatch):
    run, _ = opened(tmp_path)
    starts, ends = [], []

    def approximate(start, *arguments, **options):
        starts.append(start)
        ends.append(choose.approximate(start, *arguments, **options))
        return ends[-1]

    monkeypatch.setattr("axnn.cpu.benchmark.run.approximate", approximate)
    found = run.approximated(lambda message: None)
    assert starts == [run.exact, *ends[:-1]]
    assert list(found.values()) == ends


def test_what_is_there_is_not_made_again(tmp_path):
    run, heard = opened(tmp_path)
    assert len(heard) == PLAN.epochs
    first = run.approximated(lambda message: None)
    again, heard = opened(tmp_path)
    second = again.approximated(heard.append)
    assert not heard
    for bound, one in first.items():
        for a, b in zip(one.assignment, second[bound].assignment, strict=True):
            np.testing.assert_array_equal(a, b)
        assert one.trials == second[bound].trials


@pytest.mark.parametrize(
    "changes",
    [{"trials": 2}, {"retraining": replace(PLAN, epochs=2)}, {"retraining_samples": 30}],
)
def test_another_plan_is_another_approximation(tmp_path, changes):
    opened(tmp_path)[0].approximated(lambda message: None)
    heard: list[str] = []
    run, trained = opened(tmp_path, **changes)
    run.approximated(heard.append)
    assert not trained
    assert heard


def test_another_training_is_another_network(tmp_path):
    before = opened(tmp_path)[0].exact.network.state()
    run, heard = opened(tmp_path, training=replace(PLAN, epochs=2))
    assert len(heard) == 2
    assert any((value != before[name]).any() for name, value in run.exact.network.state().items())


def test_a_folder_of_another_subject_or_command_is_refused(tmp_path):
    opened(tmp_path / "speed")
    other = replace(SUBJECT.network, name="cats")
    with pytest.raises(RunError, match="holds application 'tiny', not 'cats'"):
        opened(tmp_path / "speed", network=other)
    RunRecord.of(APPS["digits8x8"], 1, make_data()).claim(tmp_path)
    with pytest.raises(RunError, match="holds files of kind 'axnn-run-1', not 'axnn-speed-1'"):
        opened(tmp_path)


def test_a_folder_that_is_held_is_refused(tmp_path):
    with held_elsewhere(tmp_path), pytest.raises(BusyError):
        speed_step("letters", tmp_path, seed=1, notify=lambda message: None)


def test_timings_of_other_networks_are_not_taken(tmp_path, monkeypatch):
    monkeypatch.setitem(SUBJECTS, "tiny", SUBJECT)
    races = []
    monkeypatch.setattr(speed_steps, "check_peers", lambda: None)
    monkeypatch.setattr(speed_steps, "gather", lambda *_: None)
    monkeypatch.setattr(speed_steps, "race", lambda *_, **__: races.append(1))
    summary = made_up_result("digits")
    monkeypatch.setattr(speed_steps, "summary", lambda *_: replace(summary, samples=len(races)))
    monkeypatch.setattr(speed_steps, "draw_speed", lambda *_, **__: None)

    def timed(*, repeat=False):
        found = speed_step("tiny", tmp_path, seed=1, notify=lambda _: None, repeat=repeat)
        return found.samples

    assert [timed(), timed(), timed(repeat=True), timed()] == [1, 1, 2, 2]
    monkeypatch.setitem(SUBJECTS, "tiny", replace(SUBJECT, trials=2))
    assert timed() == 3


@pytest.mark.parametrize("module", ["torch", "matplotlib"])
def test_what_is_needed_after_hours_is_asked_for_first(tmp_path, monkeypatch, module):
    def find_spec(name):
        return None if name == module else name

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    monkeypatch.setattr("qcnpe.tools.extras.find_spec", find_spec)
    with pytest.raises(QcnpeError, match=module):
        speed_step("letters", tmp_path, seed=1, notify=lambda _: None)


def test_uniform_replaces_everything_and_omits_nothing(tmp_path, monkeypatch):
    run, _ = opened(tmp_path)
    retrained = []

    def retrain_part(lowered, *arguments, **options):
        retrained.append(lowered)
        return choose.retrain_part(lowered, *arguments, **options)

    monkeypatch.setattr("axnn.cpu.benchmark.compare.retrain_part", retrain_part)
    found = uniform(run)
    assert retrained == [found]
    for index, levels in enumerate(found.assignment):
        kinds = ladder(found.network, index)
        last = [k for k in range(len(kinds)) if kinds[k] != OMITTED][-1]
        assert (levels == last).all()
    again = uniform(run)
    assert len(retrained) == 1
    for name, value in found.network.state().items():
        np.testing.assert_array_equal(again.network.state()[name], value)


def test_compared_networks_cost_what_they_should(tmp_path, monkeypatch):
    whole = make_data(noise=0.3)  # the test part is judged here
    monkeypatch.setattr(Subject, "load", lambda self, seed: whole)
    choices = compare_choices(opened(tmp_path)[0])
    assert [choice.way for choice in choices] == ["uniform", *WAYS * len(SHARES)]
    price = choices[0].cost
    for choice in choices[1:]:
        assert choice.cost <= choice.share * price
        # One channel of ten less than the target at most: it is approached from above.
        assert choice.cost > (choice.share - 0.2) * price
    assert all(choice.median_us > 0 for choice in choices)
    assert all(choice.validation >= choice.before_retraining for choice in choices)


def test_border_is_cut_off(monkeypatch):
    pictures = np.arange(2 * 32 * 32, dtype=np.float32).reshape(2, 1, 32, 32) / np.float32(2048)
    split = Split(pictures, np.array([0, 1]))
    whole = DataSet(
        name="mnist", classes=Classes.numbered(10), train=split, validation=split, test=split
    )
    monkeypatch.undo()
    monkeypatch.setattr(data, "load", lambda name, *, seed: whole)
    found = SUBJECTS["mlp"].load(1)
    for part in (found.train, found.validation, found.test):
        assert part.inputs.shape == (2, 1, 28, 28)
        assert part.inputs[0, 0, 0, 0] == (2 * 32 + 2) / 2048
        assert part.inputs[1, 0, -1, -1] == (2 * 32 * 32 - 1 - 2 * 32 - 2) / 2048
    assert SUBJECTS["digits"].load(1) is whole
