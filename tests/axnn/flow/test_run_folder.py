"""A run folder believes only files that were made from what there is now."""

import json
import shutil
from dataclasses import replace

import pytest

from axnn import data
from axnn.errors import RunError
from axnn.flow.apps import APPS, App
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import (
    approximate_step,
    characterize_step,
    evaluate_step,
    train_step,
)
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.tiny import ENGINE, PLAN, TABLE, make_data, make_spec
from tests.damage import resave

APP = App(
    title="Tiny",
    data="tiny",
    network=make_spec(),
    training=replace(PLAN, epochs=3),
    approximation=APPROXIMATION,
    engine=ENGINE,
)


@pytest.fixture(scope="module", autouse=True)
def tiny_app():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(APPS, "tiny", APP)
        patch.setitem(data.LOADERS, "tiny", lambda seed: make_data(seed=seed))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = RunFolder(tmp_path_factory.mktemp("shelf") / "run")
    train_step(run, APP, seed=1)
    characterize_step(run)
    approximate_step(run, APP.approximation)
    evaluate_step(run, TABLE)
    return run.path


@pytest.fixture
def run(finished, tmp_path):
    """A finished run of seed 1."""
    shutil.copytree(finished, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def contents(run):
    return {path.name: path.read_bytes() for path in run.path.iterdir()}


def test_a_seed_that_the_record_cannot_hold_is_refused_before_the_training(tmp_path):
    with pytest.raises(
        RunError, match=r"seed must be 0\.\.9223372036854775807, not 9223372036854775808"
    ):
        train_step(RunFolder(tmp_path / "run"), APP, seed=1 << 63)
    assert not (tmp_path / "run").exists()


def test_networks_of_another_seed_are_not_judged(run):
    """The split of seed 2 has test samples that the networks of seed 1 were trained on."""
    lines: list[str] = []
    train_step(run, APP, seed=2, notify=lines.append)
    assert lines == [f"{run.network}: was made with another seed; it is made again"]
    for stale in (run.approximated, run.judgement, run.facts, lambda: evaluate_step(run, TABLE)):
        with pytest.raises(RunError, match=r"axnn|exact16") as caught:
            stale()
        message = "was made from another network.npz; run `axnn approximate` again"
        assert str(caught.value).endswith(message)


def test_after_the_same_seed_again_all_is_believed_again(run):
    before = contents(run)
    train_step(run, APP, seed=2)
    train_step(run, APP, seed=1)
    assert contents(run) == before
    assert run.judgement().run.seed == 1


def test_what_is_made_anew_is_as_in_a_new_folder(run, tmp_path):
    other = RunFolder(tmp_path / "other")
    for folder in (run, other):
        train_step(folder, APP, seed=2)
        characterize_step(folder)
        approximate_step(folder, APP.approximation)
        evaluate_step(folder, TABLE)
    assert contents(run) == contents(other)


def test_each_step_says_that_it_is_done_anew(run):
    train_step(run, replace(APP, training=replace(APP.training, epochs=2)), seed=1)
    lines: list[str] = []
    characterize_step(run, notify=lines.append)
    approximate_step(run, APP.approximation, notify=lines.append)
    evaluate_step(run, TABLE, notify=lines.append)
    assert [line.split(": was made ")[1] for line in lines] == [
        "from another network.npz; it is made again",
        "from another network.npz; it is made again",
        "from another network.npz; it is made again",
    ]


def test_other_prices_are_judged_anew_with_one_line(run):
    dearer = replace(TABLE, pj={name: 2 * price for name, price in TABLE.pj.items()})
    before, lines = evaluate_step(run, TABLE), list[str]()
    found = evaluate_step(run, dearer, notify=lines.append)
    assert found.axnn_pj == pytest.approx(2 * before.axnn_pj)
    assert lines == [f"{run.evaluation}: was made with other prices; it is made again"]


@pytest.mark.parametrize("name", ["network", "exact16", "axnn", "test_inputs"])
def test_a_file_of_another_run_is_refused(run, tmp_path, name):
    other = RunFolder(tmp_path / "other")
    train_step(other, APP, seed=2)
    approximate_step(other, APP.approximation)
    evaluate_step(other, TABLE)
    shutil.copy(getattr(other, name), getattr(run, name))
    with pytest.raises(RunError, match=r"was made (from|with) another .*; run `axnn \w+` again"):
        run.judgement()


def test_another_training_plan_in_the_record_is_not_believed(run):
    """As if a training with another plan had been interrupted."""
    record = run.record()
    plan = replace(record.app.training, epochs=9)
    replace(record, app=replace(record.app, training=plan)).claim(run.root)
    for stale in (run.trained, run.approximated, run.judgement, lambda: run.point("axnn")):
        with pytest.raises(RunError, match=r"with another training plan; run `axnn train` again"):
            stale()


def test_another_engine_needs_another_approximation_but_no_training(run):
    before = run.network.read_bytes()
    wide = replace(APP, engine=replace(ENGINE, rows=8))
    train_step(run, wide, seed=1)
    assert run.network.read_bytes() == before
    with pytest.raises(RunError, match=r"with another engine; run `axnn approximate` again"):
        run.approximated()
    approximate_step(run, APP.approximation)
    assert run.facts().engine == wide.engine


def test_the_application_is_kept_by_value(run, monkeypatch):
    monkeypatch.delitem(APPS, "tiny")
    assert run.record().app == APP
    assert evaluate_step(run, TABLE).samples == 60
    approximate_step(run, replace(APPROXIMATION, bound_percent=99))
    assert run.facts().bound_percent == 99


def test_another_application_in_the_folder_is_refused(run):
    before = contents(run)
    other = replace(APP, network=replace(APP.network, name="cats"))
    with pytest.raises(RunError, match="run: holds application 'tiny', not 'cats'; choose another"):
        train_step(run, other, seed=1)
    assert contents(run) == before


def test_another_data_set_of_the_same_name_is_refused(run, monkeypatch):
    data.registry._load.cache_clear()
    monkeypatch.setitem(data.LOADERS, "tiny", lambda seed: make_data(seed=seed, noise=0.2))
    with pytest.raises(RunError, match="data set tiny has changed since the run began"):
        approximate_step(run, replace(APPROXIMATION, bound_percent=99))


def test_a_folder_of_an_earlier_version_is_refused_by_every_step(run):
    (run.path / "run.json").unlink()
    resave(run.network, lambda header, _: header.update(notes={"key": "k", "app": "tiny"}))
    before = contents(run)
    for step in (
        lambda: train_step(run, APP, seed=1),
        lambda: characterize_step(run),
        lambda: approximate_step(run, APP.approximation),
        lambda: evaluate_step(run, TABLE),
        lambda: run.point("axnn"),
    ):
        with pytest.raises(RunError, match="since an earlier version wrote them; delete"):
            step()
    assert contents(run) == before


def test_a_file_without_ancestors_is_refused(run):
    resave(run.axnn, lambda header, _: header["notes"].pop("made_from"))
    with pytest.raises(RunError, match=r"axnn\.npz: does not say what it was made from"):
        run.approximated()


@pytest.mark.parametrize("name", ["network.npz", "resilience.npz", "axnn.npz"])
def test_a_damaged_file_is_kept_until_the_user_deletes_it(run, name):
    step = {
        "network.npz": lambda: train_step(run, APP, seed=1),
        "resilience.npz": lambda: characterize_step(run),
        "axnn.npz": lambda: approximate_step(run, APP.approximation),
    }[name]
    path, before = run.path / name, (run.path / name).read_bytes()
    path.write_bytes(before[:-90])
    with pytest.raises(RunError, match=rf"{name}: .*: delete it, and run this command again"):
        step()
    path.unlink()
    step()
    assert path.read_bytes() == before


def test_a_start_that_has_changed_is_refused(tmp_path):
    run = RunFolder(tmp_path)
    tight, loose = (RunFolder(tmp_path / name, trained_in=tmp_path) for name in ("a", "b"))
    train_step(run, APP, seed=1)
    approximate_step(tight, APPROXIMATION)
    plan = replace(APPROXIMATION, bound_percent=99)
    approximate_step(loose, plan, start=tight)
    assert loose.approximated().plan == plan
    approximate_step(tight, replace(APPROXIMATION, criterion="weight"))
    with pytest.raises(RunError, match=r"made from another \.\./a/state\.npz; run `axnn approxi"):
        loose.approximated()


def test_the_evaluation_says_what_it_is_of(run):
    found = json.loads(run.evaluation.read_text())["run"]
    assert (found["app"], found["seed"]) == ("tiny", 1)
    assert found["bound_percent"] == APPROXIMATION.bound_percent
    assert found["criterion"] == APPROXIMATION.criterion
    assert (found["engine"]["rows"], found["engine"]["cols"]) == (4, 4)
