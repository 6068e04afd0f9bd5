"""Whatever operation on the disk fails, a run goes on to the same bytes, and repeats little."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axnn import data
from axnn.approximation import search
from axnn.cpu.benchmark.compare import uniform
from axnn.cpu.benchmark.run import open_run
from axnn.cpu.benchmark.subjects import SUBJECTS
from axnn.flow import provenance
from axnn.flow.apps import App
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, characterize_step, evaluate_step, train_step
from axnn.nn import train as training
from axnn.nn.network import Network
from qcnpe.spec.config import EngineConfig
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.flow.faults import KILLED, Fault, run_in_child
from tests.axnn.tiny import PLAN, TABLE, make_data, make_spec

ENGINE = EngineConfig(rows=4, cols=4, precisions=(16, 2))
SPEC = make_spec(hidden=3)
APP = App(
    title="Tiny",
    data="tiny",
    network=SPEC,
    training=replace(PLAN, epochs=3),
    approximation=replace(
        APPROXIMATION, bound_percent=99, unit="layer", share=0.5, retraining=replace(PLAN, epochs=1)
    ),
    engine=ENGINE,
)
SUBJECT = replace(
    SUBJECTS["letters"],
    data="tiny",
    network=make_spec("tanh", hidden=3),
    training=replace(PLAN, epochs=2),
    retraining=replace(PLAN, epochs=1),
    trials=1,
)


def train(folder: Path) -> None:
    train_step(RunFolder(folder), APP, seed=1)


def characterize(folder: Path) -> None:
    characterize_step(RunFolder(folder))


def approximate(folder: Path) -> None:
    approximate_step(RunFolder(folder), APP.approximation)


def approximate_on(folder: Path) -> None:
    """Under a looser bound, in a folder of its own, also from networks of one width."""
    run = RunFolder(folder / "loose", trained_in=folder)
    plan = replace(APP.approximation, start="ladder", long_epochs=1)
    approximate_step(run, plan, start=RunFolder(folder))


def evaluate(folder: Path) -> None:
    evaluate_step(RunFolder(folder), TABLE)


def speed(folder: Path) -> None:
    """The networks of the CPU benchmark."""
    run = open_run(SUBJECT, folder / "speed", seed=1, notify=lambda message: None)
    run.approximated(lambda message: None)
    uniform(run)


STEPS: tuple[Callable[[Path], None], ...] = (
    train,
    characterize,
    approximate,
    approximate_on,
    evaluate,
    speed,
)


@pytest.fixture(scope="module", autouse=True)
def tiny_data():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.LOADERS, "tiny", lambda seed: make_data(seed=seed, samples=30))
        patch.setattr(os, "fsync", lambda handle: None)  # whether it is called is what counts
        yield


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """The folder before each step, and after the last."""
    root = tmp_path_factory.mktemp("shelf")
    (root / "0").mkdir()
    for number, step in enumerate(STEPS):
        shutil.copytree(root / str(number), root / str(number + 1))
        step(root / str(number + 1))
    return root


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A file that grows by one for every epoch of training and every trial, in any process."""
    path = tmp_path / "work"
    path.touch()

    def counted(owner: type, name: str, counts: Callable[[Any], bool]) -> None:
        original = getattr(owner, name)

        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            if counts(self):
                with path.open("ab") as file:
                    file.write(b"+")
            return original(self, *arguments, **options)

        monkeypatch.setattr(owner, name, call)

    # Epochs of retraining are part of a trial.
    counted(training._Run, "step_epoch", lambda run: isinstance(run.model, Network))
    counted(search.Search, "record", lambda _: True)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return found | {name: b"" for name in found if Path(name).name == provenance.FILE}  # has a date


# A power failure takes all that a kill takes, and more: the steps with checkpoints have both.
CASES = [
    *((step, Fault.POWER_FAILURE) for step in STEPS),
    *((step, Fault.FULL_DISK) for step in STEPS if step is not speed),
    *((step, Fault.KILL) for step in (train, approximate)),
]


@pytest.mark.parametrize(
    ("step", "fault"), CASES, ids=lambda each: getattr(each, "name", None) or each.__name__
)
def test_a_cut_run_goes_on_to_the_same_bytes(shelf, tmp_path, work, step, fault):
    before, after = (shelf / str(STEPS.index(step) + more) for more in (0, 1))
    expected = contents(after)
    shutil.copytree(before, tmp_path / "whole")
    whole = run_in_child(tmp_path / "whole", lambda: step(tmp_path / "whole"))
    assert whole.status == 0, whole.error
    assert contents(tmp_path / "whole") == expected
    needed, folder = work.stat().st_size, tmp_path / "cut"
    for at in whole.points():
        shutil.copytree(before, folder)
        work.write_bytes(b"")
        cut = run_in_child(folder, lambda: step(folder), fault=fault, at=at)
        doing = whole.log[at - 1]
        if fault is not Fault.FULL_DISK:
            assert cut.status == KILLED, doing
        elif not all(entry.startswith("remove") for entry in whole.log[at - 1 :]):
            assert (cut.status, cut.error.count("\n")) == (1, 0), doing
            assert "No space left on device" in cut.error
        step(folder)
        assert contents(folder) == expected, doing
        assert needed <= work.stat().st_size <= needed + 1, doing
        shutil.rmtree(folder)
