"""Final networks of an application on the simulated engine, each once."""

import json
import sys

import pytest

from axnn import data
from axnn.experiments import stages
from axnn.experiments.run import Finished, plan_jobs, run_jobs
from axnn.flow.apps import APPS
from sim import check_apps
from tests.axnn.experiments.test_experiments import APP
from tests.axnn.tiny import TABLE, make_data
from tests.damage import resave

pytestmark = pytest.mark.xdist_group("sim4")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(APPS, "tiny", APP)
    monkeypatch.setitem(data.LOADERS, "tiny", lambda seed: make_data(noise=0.4))
    monkeypatch.setattr(stages, "SMALL", ())
    jobs = plan_jobs(["tiny"], ["train", "bounds"])
    finished: list[Finished] = []
    run_jobs(jobs, tmp_path, TABLE, notify=lambda *_: None, on_finished=finished.append)
    assert [each.error for each in finished] == [None]
    return tmp_path


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["check_apps", *map(str, arguments)])
    check_apps.main()


def test_every_bound_agrees_and_is_checked_once(folder, monkeypatch):
    call(monkeypatch, "tiny", "--folder", folder, "--images", 30)
    path = folder / "tiny" / "seed-1" / "hardware.json"
    found = json.loads(path.read_text())
    assert (found["images_checked"], found["mismatches"], found["miscounts"]) == (30, 0, 0)
    written = path.stat().st_mtime_ns
    call(monkeypatch, "tiny", "--folder", folder, "--images", 30)
    assert path.stat().st_mtime_ns == written
    path.write_text(json.dumps({**found, "mismatches": 1}))
    with pytest.raises(SystemExit, match="check_apps: not equal to the model: tiny"):
        call(monkeypatch, "tiny", "--folder", folder, "--images", 30)


def test_networks_that_have_changed_are_checked_again(folder, monkeypatch, capsys):
    call(monkeypatch, "tiny", "--folder", folder, "--images", 30)
    network = folder / "tiny" / "seed-1" / "bound-2.5" / "axnn.npz"
    resave(network, lambda header, _: header["notes"].update(seed=9))
    with pytest.raises(SystemExit):
        call(monkeypatch, "tiny", "--folder", folder, "--images", 30)
    assert "was made from another axnn.npz; run `axnn evaluate` again" in capsys.readouterr().err


def test_missing_networks_are_one_clear_line(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        call(monkeypatch, "digits8x8", "--folder", tmp_path)
    assert "holds no run; run `axnn train` first" in capsys.readouterr().err
