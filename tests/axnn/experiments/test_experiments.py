"""All stages of a small application: what they leave, that they resume, and what is collected."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from axnn import cli, data
from axnn.errors import DataError, RunError
from axnn.experiments import stages
from axnn.experiments.bounds import BOUNDS, CHOICES, UNIFORM_WIDTHS
from axnn.experiments.collect import (
    PAPER_APPS,
    collect,
    judge_variants,
    over_best_uniform,
)
from axnn.experiments.documents import KINDS
from axnn.experiments.energy_spread import energy_spread
from axnn.experiments.folder import AppFolder
from axnn.experiments.run import Finished, plan_jobs, run_jobs
from axnn.flow.apps import APPS, App
from axnn.flow.steps import train_step
from axnn.nn.spec import LayerSpec, NetworkSpec
from qcnpe.prices import EnergyPrices
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.results import read_figures
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.flow.test_lock import held_elsewhere
from tests.axnn.tiny import ENGINE, PLAN, PRICES, TABLE, make_data

SPEC = NetworkSpec(
    name="tiny",
    input_shape=(1, 3, 4),
    layers=(
        LayerSpec(kind="convolution", channels=3, kernel=(2, 2), function="relu"),
        LayerSpec(kind="dense", channels=6, function="relu"),
        LayerSpec(kind="dense", channels=3, function="identity"),
    ),
)
APP = App(
    title="Tiny",
    data="tiny",
    network=SPEC,
    training=replace(PLAN, epochs=8, weight_decay=1e-4),
    approximation=replace(
        APPROXIMATION,
        share=1.0,
        smallest_share=0.5,
        start="ladder",
        rate_factors=(0.5, 1.0),
        long_epochs=3,
        retraining=replace(PLAN, epochs=2),
    ),
    engine=ENGINE,
)


@pytest.fixture(scope="module", autouse=True)
def tiny_app():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(APPS, "tiny", APP)
        patch.setitem(data.LOADERS, "tiny", lambda seed: make_data(noise=0.4))
        patch.setattr(stages, "SMALL", ("tiny",))
        patch.setattr(stages, "STUDIED", ("tiny",))
        patch.setattr(stages, "ABLATED", ("tiny",))
        patch.setattr(stages, "SEEDS", (1, 2))
        yield


def run_all(folder: Path, only=(), notes=None) -> list[Finished]:
    finished: list[Finished] = []
    run_jobs(
        plan_jobs(["tiny"], only),
        folder,
        TABLE,
        notify=lambda job, note: notes.append(note) if notes is not None else None,
        on_finished=finished.append,
    )
    return finished


@pytest.fixture(scope="module")
def folder(tiny_app, tmp_path_factory):
    path = tmp_path_factory.mktemp("apps")
    finished = run_all(path)
    assert [each.error for each in finished] == [None, None]
    return path


@pytest.fixture
def place(folder):
    return AppFolder(folder, "tiny", 1)


def test_every_variant_of_the_first_seed_is_judged(place):
    names = [f"bound-{bound:g}" for bound in BOUNDS]
    names += [f"uniform-{width}" for width in UNIFORM_WIDTHS]
    own = APP.approximation.criterion
    names += [f"choice-{choice}" for choice in CHOICES if choice != own]
    assert sorted(judge_variants(place, TABLE)) == sorted(names)


def test_a_finished_stage_is_not_done_again(folder):
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}
    notes: list[str] = []
    assert [each.error for each in run_all(folder, notes=notes)] == [None, None]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")} == files
    assert not [note for note in notes if "step" in note or "point" in note]


def test_bounds_hold_and_a_looser_one_is_never_dearer(place):
    judged = judge_variants(place, TABLE)
    for bound in BOUNDS:
        found = place.variant(f"bound-{bound:g}").approximated()
        assert found.last_kept.accuracy >= found.trials[0].accuracy - bound / 100 - 1e-9
    prices = [judged[f"bound-{bound:g}"].axnn_pj for bound in BOUNDS]
    assert prices == sorted(prices, reverse=True)


def test_uniform_controls_have_one_width_and_the_retraining_of_the_axnn(place):
    for width in UNIFORM_WIDTHS:
        found = place.variant(f"uniform-{width}").approximated()
        assert list(found.last_kept.histogram) == [str(width)]
        rates = [] if width == 16 else ["rate", "rate"]
        assert [trial.stage for trial in found.trials] == ["exact", *rates, "uniform"]
        # Short retrainings of 2 epochs, a long one of 3.
        assert found.passes == 2 * len(rates) + 3
    for bound in BOUNDS:
        axnn = place.variant(f"bound-{bound:g}").approximated()
        retrained = [trial for trial in axnn.trials if trial.stage in ("ladder", "lower")]
        assert {trial.passes / trial.rounds for trial in retrained} <= {2}


def test_no_bound_is_dearer_than_the_best_uniform_width(place):
    judged = judge_variants(place, TABLE)
    for bound in BOUNDS:
        best = over_best_uniform(place, bound, judged)
        assert best is not None
        assert best >= 1


def test_ablation_ends_with_the_method_itself(folder, place):
    figures = collect(folder, ["tiny"], TABLE)["figures"]
    for bound in BOUNDS:
        for setting in ("paper", "packed", "criterion", "retraining"):
            assert figures[f"tiny.ablation.{setting}.{bound:g}.energy_ratio"] > 0
        last = figures[f"tiny.ablation.ladder.{bound:g}.energy_ratio"]
        assert last == figures[f"tiny.{bound:g}.energy_ratio"]
    run = place.retrained("ablation-gated")
    assert run.record().app.engine.ncu == "gated"
    assert run.network.read_bytes() == place.trained.network.read_bytes()


def test_cost_of_training_is_told(folder, place):
    figures = collect(folder, ["tiny"], TABLE)["figures"]
    assert figures["tiny.uniform-4.passes"] == 7
    for stage in ("train", "uniform", "bounds", "ablation"):
        assert figures[f"tiny.minutes.{stage}"] >= 0


def test_the_choice_by_layers_lowers_layers_whole(place):
    net = place.variant("choice-layers").approximated().axnn
    assert all(len(np.unique(layer.precision)) == 1 for layer in net.layers)


def test_best_uniform_is_the_cheapest_that_holds_the_bound_on_validation(place):
    judged = judge_variants(place, TABLE)
    for bound in BOUNDS:
        holding = [16]
        for width in UNIFORM_WIDTHS[1:]:
            exact, *_, uniform = place.variant(f"uniform-{width}").approximated().trials
            if uniform.accuracy >= exact.accuracy - bound / 100:
                holding.append(width)
        cheapest = min(judged[f"uniform-{width}"].axnn_pj for width in holding)
        expected = cheapest / judged[f"bound-{bound:g}"].axnn_pj
        assert over_best_uniform(place, bound, judged) == pytest.approx(expected)


def test_collected_figures_are_those_of_the_runs(folder, place):
    figures = collect(folder, ["tiny"], TABLE)["figures"]
    judged = judge_variants(place, TABLE)["bound-2.5"]
    assert figures["tiny.float_accuracy"] == pytest.approx(100 * judged.float_accuracy, abs=1e-3)
    assert figures["tiny.2.5.accuracy"] == pytest.approx(100 * judged.axnn_accuracy, abs=1e-3)
    assert figures["tiny.2.5.energy_ratio"] == pytest.approx(
        judged.exact16_pj / judged.axnn_pj, abs=1e-3
    )
    memory = (judged.exact16_pj + judged.exact16_memory_pj) / (
        judged.axnn_pj + judged.axnn_memory_pj
    )
    assert figures["tiny.2.5.energy_ratio_with_memory"] == pytest.approx(memory, abs=1e-3)
    system = figures["tiny.2.5.energy_ratio_of_system"]
    assert system == pytest.approx(judged.energy_ratio_of_system, abs=1e-3)
    ratios = [
        judge_variants(AppFolder(folder, "tiny", seed), TABLE)["bound-2.5"].energy_ratio
        for seed in (1, 2)
    ]
    assert figures["tiny.2.5.seeds.energy_ratio_mean"] == pytest.approx(sum(ratios) / 2, abs=1e-3)
    assert {"tiny.ordering.gradient.accuracy", "tiny.ordering.random.accuracy"} < set(figures)
    middle = figures["tiny.ordering.seeds.gradient.accuracy_mean"]
    deviation = figures["tiny.ordering.seeds.gradient.accuracy_deviation"]
    # Two values are as far from their mean as their deviation over the root of 2.
    assert abs(figures["tiny.ordering.gradient.accuracy"] - middle) * 2**0.5 == pytest.approx(
        deviation, abs=1e-3
    )
    edges = json.loads(place.document("edges").read_text())["accuracy"]["2"]
    assert figures["tiny.edges.2b.centre.accuracy"] == pytest.approx(100 * edges["centre"][2])
    assert "tiny.dropout.0.5.energy_ratio" in figures
    assert "tiny.overfitting.no_decay.axnn_accuracy" in figures


def test_an_application_without_runs_has_no_figures_and_no_means(tmp_path):
    names = ["digits", "letters"]
    assert collect(tmp_path, names, TABLE, may_be_empty=True)["figures"] == {}
    with pytest.raises(RunError, match="holds no experiments of digits, letters; run"):
        collect(tmp_path, names, TABLE)


def test_figures_of_other_applications_stay_and_means_need_all_six(folder):
    before = {"tiny.float_accuracy": 1.0, "tiny.gone": 2.0, "mean.0.5.energy_ratio": 9.0}
    for number, name in enumerate(PAPER_APPS):
        before[f"{name}.0.5.energy_ratio"] = float(number)
        before[f"{name}.uniform-2.energy_ratio"] = 2.0 * number
    figures = collect(folder, ["tiny"], TABLE, earlier=before)["figures"]
    assert figures["letters.0.5.energy_ratio"] == before["letters.0.5.energy_ratio"]
    assert figures["mean.0.5.energy_ratio"] == 2.5
    assert figures["mean.uniform-2.energy_ratio"] == 5
    assert figures["tiny.float_accuracy"] > 1
    assert "tiny.gone" not in figures
    del before["census.0.5.energy_ratio"]
    figures = collect(folder, ["tiny"], TABLE, earlier=before)["figures"]
    assert "mean.0.5.energy_ratio" not in figures


def test_what_is_collected_anew_stands_where_it_stood(folder):
    once = collect(folder, ["tiny"], TABLE, earlier={"digits.0.5.accuracy": 99.0})
    again = collect(folder, ["tiny"], TABLE, earlier=once["figures"])
    assert list(again["figures"]) == list(once["figures"])
    assert next(iter(once["figures"])) == "digits.0.5.accuracy"


JUDGED = {"float_accuracy": 1.0, "axnn_accuracy": 1.0, "energy_ratio": 2.0}
EDGES = {"rings": {}, "shares": [0.5], "accuracy": {}}


@pytest.mark.parametrize(
    ("stage", "content", "message"),
    [
        ("ordering", {"width": 2}, "missing required field `curves`"),
        ("ordering", {"width": 2, "curves": {"x": [[[1, 1]]]}}, "criteria must be of"),
        ("ordering", {"width": 2, "curves": {"random": [[]]}}, "a curve without"),
        ("ordering", {"width": 2, "curves": {"random": [[[1, 2]]]}}, "<= 1"),
        ("hardware", {"images_checked": 1, "mismatches": 0}, "`miscounts`"),
        ("hardware", {"images_checked": 1, "mismatches": -1, "miscounts": 0}, ">= 0"),
        ("dropout", {"0": {"float_accuracy": 1.0}}, "missing required field `axnn_accuracy`"),
        ("dropout", {"0": 3}, "Expected `object`, got `int`"),
        ("overfitting", {"w": {"epochs": [], **JUDGED}}, "a training without epochs"),
        ("edges", {**EDGES, "accuracy": {"4": {"x": [1]}}}, "orders must be of"),
        ("edges", {**EDGES, "rings": {"a": {}}}, "no rings of"),
        ("edges", {**EDGES, "accuracy": {"4": {"edges": []}}}, "an accuracy for each share"),
    ],
)
def test_a_document_of_something_else_is_refused(folder, tmp_path, stage, content, message):
    shutil.copytree(folder, tmp_path / "apps")
    place = AppFolder(tmp_path / "apps", "tiny", 1)
    place.write(stage, content, place.ancestry(stage))
    with pytest.raises(FormatError, match=rf"{stage}\.json: .*{message}"):
        place.figures(KINDS[stage])


def test_a_count_that_is_read_stays_an_integer(tmp_path):
    path = tmp_path / "apps.json"
    path.write_text('{"figures": {"a": 1.5, "b": 100}}')
    assert [repr(value) for value in read_figures(path).values()] == ["1.5", "100"]


def test_a_result_file_that_holds_no_figures_is_refused(tmp_path):
    path = tmp_path / "apps.json"
    path.write_text('{"figures": {"a": "1.5"}}')
    with pytest.raises(FormatError, match=r"apps\.json: figures: .*got `str`"):
        read_figures(path)
    path.write_text('{"figures": [1]}')
    with pytest.raises(FormatError, match=r"apps\.json: figures: .*Expected `object`"):
        read_figures(path)


def test_edges_have_rings_of_every_map(place):
    edges = json.loads(place.document("edges").read_text())
    (name,) = edges["rings"]["gradient"]
    assert name == "convolution1"
    assert len(edges["rings"]["gradient"][name]) == 1  # a map of 2x3 has an edge only
    assert all(
        len(curve) == 5 for orders in edges["accuracy"].values() for curve in orders.values()
    )


def test_a_job_in_a_folder_that_is_held_is_reported(tmp_path):
    with held_elsewhere(AppFolder(tmp_path, "tiny", 1).path):
        first, second = run_all(tmp_path, only=["train"])
    assert "another command is writing here" in (first.error or "")
    assert second.error is None


def test_figures_are_collected_while_an_experiment_runs(folder, place):
    with held_elsewhere(place.path):
        assert collect(folder, ["tiny"], TABLE)["figures"]["tiny.0.5.accuracy"] > 0


def test_figures_of_another_network_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "apps")
    place = AppFolder(tmp_path / "apps", "tiny", 1)
    assert place.figures(KINDS["ordering"])
    train_step(place.trained, replace(APP, training=replace(APP.training, epochs=2)), seed=1)
    for stage in ("ordering", "edges", "overfitting", "dropout"):
        message = rf"{stage}\.json: was made from another network\.npz; run `axnn experiments tiny"
        with pytest.raises(RunError, match=message):
            place.figures(KINDS[stage])
    with pytest.raises(RunError, match="was made from another"):
        collect(tmp_path / "apps", ["tiny"], TABLE)


@pytest.mark.parametrize("stage", ["overfitting", "dropout"])
def test_figures_of_another_comparison_are_refused(folder, tmp_path, stage):
    shutil.copytree(folder, tmp_path / "apps")
    place = AppFolder(tmp_path / "apps", "tiny", 1)
    run = next(path for path in place.path.iterdir() if path.name.startswith(f"{stage}-"))
    (run / "evaluation.json").write_text("{}")
    message = rf"was made from another {run.name}/evaluation\.json"
    with pytest.raises(RunError, match=message):
        place.figures(KINDS[stage])


def test_a_folder_of_another_application_is_not_collected(folder, tmp_path):
    shutil.copytree(folder / "tiny" / "seed-1", tmp_path / "digits8x8" / "seed-1")
    with pytest.raises(RunError, match="holds 'tiny' with seed 1; move it to its place"):
        collect(tmp_path, ["digits8x8"], TABLE)


def test_a_job_that_fails_is_reported_and_the_others_go_on(tmp_path, monkeypatch):
    def load(seed):
        if seed == 1:
            raise DataError("tiny: not to be had")
        return make_data()

    monkeypatch.setitem(data.LOADERS, "tiny", load)
    first, second = run_all(tmp_path, only=["train"])
    assert (first.job.seed, first.error) == (1, "tiny: not to be had")
    assert (second.job.seed, second.error) == (2, None)


def test_the_command_writes_all_figures(folder, tmp_path, monkeypatch, capsys):
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"pj": PRICES}))
    out = tmp_path / "apps.json"
    common = ["tiny", "--folder", folder, "--prices", prices]
    commands = (
        ["experiments", *common],
        ["experiments", *common, "--json"],
        ["collect", *common, "--out", out],
        ["collect", *common, "--out", out, "--json"],
    )
    for command in commands:
        monkeypatch.setattr("sys.argv", ["axnn", *map(str, command)])
        with pytest.raises(SystemExit) as status:
            cli.main()
        printed = capsys.readouterr()
        assert status.value.code == 0, printed.err
        if "--json" in command:
            assert json.loads(printed.out).keys() >= ({"jobs"} if out not in command else {"seed"})
        elif command[0] == "experiments":
            assert all(word in printed.out for word in ("minutes", "tiny, seed 2"))
            assert re.search(r"uniform \d+\.\d", printed.out)
    written = json.loads(out.read_text())
    assert written == json.loads(json.dumps(collect(folder, ["tiny"], EnergyPrices.load(prices))))


def test_jobs_are_of_the_seeds_and_stages_that_are_asked_for():
    jobs = plan_jobs(["tiny", "digits8x8"], ["uniform", "choices"], [2])
    assert [(job.name, job.seed, job.stages) for job in jobs] == [("tiny", 2, ("uniform",))]
    with pytest.raises(ConfigError, match="nothing to run: digits8x8 with seed 2 has no stages"):
        plan_jobs(["digits8x8"], (), [2])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--stage", "magic"), "stage must be one of train, uniform"),
        (("--seed", "7"), "seed must be one of 1, 2"),
        (
            ("--stage", "ablation", "--seed", "2"),
            "nothing to run: tiny with seed 2 has no stage ablation",
        ),
    ],
)
def test_an_unknown_stage_or_seed_is_one_clear_line(tmp_path, monkeypatch, capsys, option, message):
    arguments = ["experiments", "tiny", "--folder", str(tmp_path), *option]
    monkeypatch.setattr("sys.argv", ["axnn", *arguments])
    with pytest.raises(SystemExit) as status:
        cli.main()
    assert status.value.code == 1
    assert message in capsys.readouterr().err


@pytest.fixture
def running(tmp_path):
    """Experiments in two processes, already under way; `stdout` is open while any of them lives."""
    words = ["experiments", "digits8x8", "--processes", "2", "--folder", str(tmp_path)]
    command = [sys.executable, "-c", "from axnn.cli import main; main()", *words]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    log = tmp_path / "digits8x8" / "seed-1" / "log.txt"
    try:
        while run.poll() is None and not (log.exists() and log.read_text()):
            time.sleep(0.1)
        assert run.poll() is None, run.communicate()[0]
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def test_workers_end_with_their_parent(running):
    running.kill()
    running.communicate(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_workers(running, number):
    running.send_signal(number)
    printed, _ = running.communicate(timeout=20)  # until none of them holds the pipe
    assert printed.endswith("axnn: stopped; run again to continue\n")
    assert "Traceback" not in printed
    assert running.returncode == 128 + number


def test_killed_worker_is_reported(running):
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    for child in children:
        if b"qcnpe.tasks.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
    printed, _ = running.communicate(timeout=20)
    assert running.returncode == 1
    assert "axnn: a working process was killed" in printed
    assert "Traceback" not in printed


def test_spread_of_an_energy_falls_with_the_root_of_the_samples(place):
    """Over draws out of the same part; a draw of all of it has none."""
    lanes = {name: 1.0 for name in PRICES if "lane" in name}
    table = EnergyPrices({**PRICES, **lanes}, {})
    run = place.variant("bound-0.5")
    few, many, whole = (
        energy_spread(run, table, samples=samples, draws=40) for samples in (2, 18, 60)
    )
    # A third, less what drawing 18 of only 60 takes off; and half of that for chance.
    assert 0.28 / 2 < many.exact16[1] / few.exact16[1] < 0.28 * 2
    assert whole.ratio[1] == pytest.approx(0, abs=1e-12)
    assert many.ratio[0] == pytest.approx(whole.ratio[0], rel=4 * many.ratio[1])
