"""One command at a time writes a folder, and a folder that is deleted meanwhile ends it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from axnn import data
from axnn.errors import RunError
from axnn.flow import steps
from axnn.flow.evaluate import evaluate
from axnn.flow.lock import lock_folder
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, characterize_step, evaluate_step, train_step
from qcnpe.spec.errors import BusyError
from tests.axnn.flow.test_run_folder import APP
from tests.axnn.tiny import TABLE, make_data

HOLDER = """
import sys
from pathlib import Path
from axnn.flow.evaluate import evaluate
from axnn.flow.lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


@pytest.fixture(autouse=True)
def tiny_data(monkeypatch):
    monkeypatch.setitem(data.LOADERS, "tiny", lambda seed: make_data(seed=seed))


def test_every_step_that_writes_is_refused_in_a_folder_that_is_held(tmp_path):
    run = RunFolder(tmp_path)
    train_step(run, APP, seed=1)
    approximate_step(run, APP.approximation)
    with held_elsewhere(tmp_path):
        for step in (
            lambda: train_step(run, APP, seed=2),
            lambda: characterize_step(run),
            lambda: approximate_step(run, replace(APP.approximation, bound_percent=9)),
            lambda: evaluate_step(run, TABLE),
        ):
            with pytest.raises(BusyError, match="another command is writing here; wait for its"):
                step()
    evaluate_step(run, TABLE)
    with held_elsewhere(tmp_path):
        assert evaluate_step(run, TABLE).samples == 60  # nothing is written


def test_runs_that_share_a_trained_network_share_the_lock(tmp_path):
    with held_elsewhere(tmp_path), pytest.raises(BusyError):
        train_step(RunFolder(tmp_path / "bound-0.5", trained_in=tmp_path), APP, seed=1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_command_leaves_nothing_locked(tmp_path, number):
    with held_elsewhere(tmp_path) as holder:
        holder.send_signal(number)
        holder.wait(timeout=20)
        with lock_folder(tmp_path):
            pass


def test_who_holds_a_folder_may_take_it_again_but_no_other_thread(tmp_path):
    caught: list[type[BaseException]] = []

    def take() -> None:
        try:
            with lock_folder(tmp_path):
                pass
        except BusyError as error:
            caught.append(type(error))

    with lock_folder(tmp_path), lock_folder(tmp_path / "."):
        other = Thread(target=take)
        other.start()
        other.join()
    assert caught == [BusyError]
    take()
    assert caught == [BusyError]


def test_temporaries_of_killed_commands_are_removed(tmp_path):
    left = tmp_path / ".0123456789abcdef.part"
    kept = tmp_path / "training-0123456789ab.part.npz"
    left.touch()
    kept.touch()
    with lock_folder(tmp_path):
        assert [left.exists(), kept.exists()] == [False, True]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_deleted_midway_is_an_error(tmp_path, replaced):
    def vanish(_: object) -> None:
        shutil.rmtree(tmp_path / "run")
        if replaced:
            with lock_folder(tmp_path / "run"):
                pass

    with pytest.raises(RunError, match="run: was deleted while a command was writing here"):
        train_step(RunFolder(tmp_path / "run"), APP, seed=1, on_epoch=vanish)


def test_so_is_one_that_is_deleted_during_an_approximation(tmp_path):
    run = RunFolder(tmp_path / "run")
    train_step(run, APP, seed=1)
    with pytest.raises(RunError, match="was deleted while a command was writing here"):
        approximate_step(run, APP.approximation, on_trial=lambda _: shutil.rmtree(run.path))


def test_so_is_one_that_is_deleted_during_a_short_step(tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    train_step(run, APP, seed=1)
    approximate_step(run, APP.approximation)

    def evaluate_meanwhile(*arguments):
        shutil.copytree(run.path, tmp_path / "copy")
        shutil.rmtree(run.path)
        (tmp_path / "copy").rename(run.path)
        return evaluate(*arguments)

    monkeypatch.setattr(steps, "evaluate", evaluate_meanwhile)
    with pytest.raises(RunError, match="was deleted while a command was writing here"):
        evaluate_step(run, TABLE)


def test_an_error_inside_is_the_one_that_is_raised(tmp_path):
    def fail() -> None:
        shutil.rmtree(tmp_path / "run")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), lock_folder(tmp_path / "run"):
        fail()
