"""The command: the whole chain, steps that are not done twice, and errors in one line."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from axnn import cli, data
from axnn.data import registry
from axnn.data.fetch import read_collection
from axnn.errors import DataError
from axnn.flow import steps
from axnn.flow.apps import APPS, App
from axnn.flow.provenance import Provenance
from axnn.flow.run_folder import RunFolder
from axnn.nn.train import train
from qcnpe.driver import ModelTransport
from qcnpe.interchange import read_facts
from qcnpe.spec.errors import InputError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.data.test_fetch import GOOD, Shelf, make_collection
from tests.axnn.tiny import ENGINE, PLAN, PRICES, make_data, make_spec
from tests.damage import npz_parts, resave

STEPS = ("train", "characterize", "approximate", "evaluate", "report")
RESULTS = (
    ".lock",
    "run.json",
    "network.npz",
    "resilience.npz",
    "exact16.npz",
    "axnn.npz",
    "state.npz",
    "test_inputs.npz",
    "evaluation.json",
    "summary.json",
    "report.html",
    "provenance.json",
)


@pytest.fixture(autouse=True)
def tiny_app(monkeypatch):
    app = App(
        title="Tiny",
        data="tiny",
        network=make_spec(),
        training=replace(PLAN, epochs=5),
        approximation=APPROXIMATION,
        engine=ENGINE,
    )
    monkeypatch.setitem(APPS, "tiny", app)
    monkeypatch.setitem(data.LOADERS, "tiny", lambda seed: make_data())


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"pj": PRICES}))
    return path


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command; gives (status, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["axnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as status:
            cli.main()
        captured = capsys.readouterr()
        return status.value.code, captured.out, captured.err

    return run


@pytest.fixture
def run_all(call, prices):
    def run(folder, *options):
        for step in STEPS:
            arguments = [step, "--run", folder, *options]
            arguments += ["tiny", "--seed", 3] if step == "train" else []
            arguments += ["--prices", prices] if step in STEPS[2:] else []
            status, out, err = call(*arguments)
            assert status == 0, err
        return out

    return run


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A place for a run that several tests copy."""
    return tmp_path_factory.mktemp("shelf") / "run"


@pytest.fixture
def run_folder(run_all, shelf):
    """A finished run, made once."""
    if not shelf.exists():
        run_all(shelf, "--quiet")
    return shelf


def test_whole_chain_leaves_every_file_and_a_summary(run_all, tmp_path):
    summary = json.loads(run_all(tmp_path / "run", "--json"))
    assert Path(summary.pop("page")) == tmp_path / "run" / "report.html"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(RESULTS)
    written = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert list(written.pop("made_from")["files"]) == ["evaluation.json"]
    assert written == summary
    assert list(summary) == [
        "app",
        "seed",
        "bound_percent",
        "criterion",
        "engine",
        "quality",
        "accuracy",
        "images_checked",
        "mismatches",
        "precision_histogram",
        "cycles",
        "energy_ratio",
        "energy_ratio_with_memory",
        "energy_ratio_of_system",
        "seconds",
    ]
    assert (summary["images_checked"], summary["mismatches"], summary["seed"]) == (0, None, 3)
    assert (tmp_path / "run" / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")


def test_files_alone_reproduce_the_accuracy(run_all, tmp_path):
    summary = json.loads(run_all(tmp_path, "--json"))
    _, arrays = npz_parts(tmp_path / "test_inputs.npz")
    for name in ("exact16", "axnn"):
        logits = infer(QuantNet.load(tmp_path / f"{name}.npz"), arrays["inputs"])
        right = (logits.argmax(axis=1) == arrays["labels"]).mean()
        assert summary["accuracy"][name] == right


def test_the_networks_name_the_engine_that_they_are_for(run_all, tmp_path):
    run_all(tmp_path, "--quiet")
    for name in ("exact16", "axnn"):
        assert QuantNet.load(tmp_path / f"{name}.npz").engine == ENGINE


def test_two_runs_are_byte_identical_but_for_their_date(run_all, tmp_path, monkeypatch):
    made = Provenance.now()
    monkeypatch.setattr(Provenance, "now", lambda: made)
    for folder in ("a", "b"):
        run_all(tmp_path / folder / "run", "--quiet")
    for name in RESULTS:
        first, second = ((tmp_path / folder / "run" / name).read_bytes() for folder in ("a", "b"))
        assert first == second, name


def test_finished_steps_are_not_done_again(run_all, tmp_path, monkeypatch):
    run_all(tmp_path, "--quiet")

    def fail(*_arguments, **_options):
        raise AssertionError("done again")

    for name in ("train", "characterize", "approximate", "evaluate"):
        monkeypatch.setattr(steps, name, fail)
    run_all(tmp_path, "--quiet")


def test_a_changed_bound_is_approximated_anew(run_all, call, tmp_path, prices):
    run_all(tmp_path, "--quiet")
    before = (tmp_path / "axnn.npz").read_bytes()
    options = ("--bound", 99, "--prices", prices, "--json")
    status, out, _ = call("approximate", "--run", tmp_path, *options)
    assert status == 0
    assert set(json.loads(out)["steps"][-1]["histogram"]) == {"2"}
    assert (tmp_path / "axnn.npz").read_bytes() != before


def test_a_new_seed_trains_anew(run_all, call, tmp_path):
    run_all(tmp_path, "--quiet")
    before = (tmp_path / "network.npz").read_bytes()
    call("train", "tiny", "--run", tmp_path, "--seed", 4, "--quiet")
    assert (tmp_path / "network.npz").read_bytes() != before


def test_networks_of_another_seed_are_refused(run_all, call, tmp_path, prices):
    """The new split's test part holds samples that the old networks were trained on."""
    run_all(tmp_path, "--quiet")
    status, _, err = call("train", "tiny", "--run", tmp_path, "--seed", 4)
    assert status == 0
    assert "network.npz: was made with another seed; it is made again" in err
    for command in ("evaluate", "report"):
        status, out, err = call(command, "--run", tmp_path, "--prices", prices)
        assert (status, out) == (1, "")
        assert "was made from another network.npz; run `axnn approximate` again" in one_line(err)


def test_another_application_in_the_folder_is_one_line(call, tmp_path):
    call("train", "tiny", "--run", tmp_path, "--quiet")
    status, _, err = call("train", "digits8x8", "--run", tmp_path, "--quiet")
    assert status == 1
    message = "holds application 'tiny', not 'digits8x8'; choose another folder"
    assert message in one_line(err)


def test_the_figures_say_what_they_are_of(run_all, call, tmp_path, prices):
    summary = json.loads(run_all(tmp_path, "--json"))
    facts = ("tiny", 3, APPROXIMATION.bound_percent, APPROXIMATION.criterion, asdict(ENGINE))
    options = ("--run", tmp_path, "--prices", prices)
    judged = json.loads(call("evaluate", *options, "--json")[1])
    for found in (summary, judged):
        names = ("app", "seed", "bound_percent", "criterion", "engine")
        found["engine"]["precisions"] = tuple(found["engine"]["precisions"])
        assert tuple(found[name] for name in names) == facts
    shown = call("evaluate", *options)[1]
    for word in ("tiny, 3", "4 x 4 NCUs (fused, 16/8/4/2 bits)", APPROXIMATION.criterion):
        assert word in shown


class ModelBoard(ModelTransport):
    """A board on no port, with another engine than the networks are for."""

    def __init__(self, port):
        super().__init__(replace(ENGINE, rows=2, ncu="dsp"))
        self.restarts = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def counters(self):
        return {}


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setattr("qcnpe.boards.serial_port.SerialPort", lambda path, baud: path)
    monkeypatch.setattr("qcnpe.boards.transport.BoardTransport", ModelBoard)
    return ("--port", "none", "--limit", 5)


def test_a_board_run_says_which_engines_and_which_run(run_folder, call, prices, board):
    options = ("run", "--run", run_folder, *board, "--prices", prices)
    status, out, err = call(*options, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert (found["engine"]["rows"], found["engine"]["ncu"]) == (2, "dsp")
    assert {point["approximated_for"]["rows"] for point in found["points"]} == {4}
    assert (found["run"]["app"], found["run"]["seed"]) == ("tiny", 3)
    shown = " ".join(call(*options)[1].split())
    assert "One engine of 2 x 4 NCUs (dsp, 16/8/4/2 bits)" in shown
    assert "Approximated for 4 x 4 NCUs (fused, 16/8/4/2 bits)" in shown


def test_a_board_gets_no_stale_networks(run_folder, call, tmp_path, prices, board):
    shutil.copytree(run_folder, tmp_path / "run")
    call("train", "tiny", "--run", tmp_path / "run", "--seed", 4, "--quiet")
    for points in ((), ("--point", "exact16")):
        status, _, err = call("run", "--run", tmp_path / "run", *board, "--prices", prices, *points)
        assert status == 1
        assert "was made from another network.npz; run `axnn approximate` again" in one_line(err)


def test_test_inputs_of_another_seed_are_not_simulated(run_all, run_folder, tmp_path):
    """The one file of a run that a command reads without the run's folder."""
    run_all(tmp_path, "--quiet")
    samples = Samples.load(tmp_path / "test_inputs.npz")
    samples.check(QuantNet.load(run_folder / "axnn.npz"))
    other = replace(samples, fitted_to=make_data(seed=9).digest)
    with pytest.raises(InputError, match="run `axnn evaluate` again"):
        other.check(QuantNet.load(run_folder / "axnn.npz"))


@pytest.mark.parametrize("point", ["axnn", "exact16"])
def test_exported_model_gives_every_result_of_the_test_part(run_folder, call, tmp_path, point):
    run = shutil.copytree(run_folder, tmp_path / "run")
    status, out, _ = call("export", "--run", run, "--point", point, "--json")
    assert (status, json.loads(out)["model"]) == (0, str(run / f"{point}.onnx"))
    facts = read_facts(run / f"{point}.onnx")
    evaluation = json.loads((run / "evaluation.json").read_text())["evaluation"]
    assert facts["energy_pj_per_sample"] == evaluation[f"{point}_pj"]
    assert (facts["quality"], facts["test_quality"]) == (
        "accuracy",
        evaluation[f"{point}_accuracy"],
    )
    status, out, err = call("verify", "--run", run, "--point", point, "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert (found["mismatches"], found["optimised_mismatches"], found["first"]) == (0, 0, None)
    assert found["samples"] == len(make_data().test)
    assert found["results"] == 2 * found["samples"] * QuantNet.load(run / "axnn.npz").outputs


def test_model_of_an_earlier_network_is_refused(run_folder, call, tmp_path, prices):
    run = shutil.copytree(run_folder, tmp_path / "run")
    model = tmp_path / "elsewhere" / "net.onnx"
    call("export", "--run", run, "--onnx", model, "--quiet")
    options = ("--bound", 99, "--prices", prices, "--quiet")
    assert call("approximate", "--run", run, *options)[0] == 0
    status, out, err = call("verify", "--run", run, "--onnx", model)
    assert (status, out) == (1, "")
    assert "net.onnx: was made with another network; run `axnn export` again" in one_line(err)


def test_export_with_figures_of_other_networks_is_refused(run_folder, call, tmp_path, prices):
    run = shutil.copytree(run_folder, tmp_path / "run")
    call("approximate", "--run", run, "--bound", 99, "--prices", prices, "--quiet")
    status, out, err = call("export", "--run", run)
    assert (status, out) == (1, "")
    assert "evaluation.json: was made from another" in err
    assert "run `axnn evaluate` again" in one_line(err)
    (run / "evaluation.json").unlink()
    assert call("export", "--run", run, "--quiet")[0] == 0
    assert set(read_facts(run / "axnn.onnx")) == {"made_from"}


def test_interrupted_training_goes_on(call, tmp_path, monkeypatch):
    def interrupted(*arguments, on_epoch, **options):
        def stop(epoch):
            if epoch.number == 2:
                raise KeyboardInterrupt

        train(*arguments, on_epoch=stop, **options)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "train", interrupted)
        assert call("train", "tiny", "--run", tmp_path / "a", "--quiet")[0] != 0
    numbers = []

    def observed(*arguments, on_epoch, **options):
        restored = npz_parts(options["checkpoint"])[0]["epochs"]
        numbers.append(len(restored))
        return train(*arguments, on_epoch=on_epoch, **options)

    monkeypatch.setattr(steps, "train", observed)
    assert call("train", "tiny", "--run", tmp_path / "a", "--quiet")[0] == 0
    monkeypatch.setattr(steps, "train", train)
    assert call("train", "tiny", "--run", tmp_path / "b", "--quiet")[0] == 0
    assert numbers == [3]
    first, second = ((tmp_path / run / "network.npz").read_bytes() for run in ("a", "b"))
    assert first == second
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [".lock", "network.npz", "run.json"]


def one_line(err: str) -> str:
    """The message without the line breaks that a terminal's width would bring."""
    assert err.startswith("axnn: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("step", STEPS[1:])
def test_step_without_its_predecessor_says_which(call, tmp_path, prices, step):
    table = [] if step == "characterize" else ["--prices", prices]
    status, out, err = call(step, "--run", tmp_path / "none", "--quiet", *table)
    assert (status, out) == (1, "")
    assert "holds no run; run `axnn train` first" in one_line(err)
    assert not (tmp_path / "none").exists()


def test_evaluation_needs_an_approximation(call, tmp_path, prices):
    call("train", "tiny", "--run", tmp_path, "--quiet")
    status, _, err = call("evaluate", "--run", tmp_path, "--prices", prices, "--quiet")
    assert status == 1
    assert "holds no approximation; run `axnn approximate` first" in one_line(err)


@pytest.mark.parametrize("name", ["network.npz", "axnn.npz", "resilience.npz", "evaluation.json"])
def test_damaged_file_is_one_line_and_the_others_stay(run_all, call, tmp_path, prices, name):
    run_all(tmp_path / "run", "--quiet")
    (tmp_path / "run" / name).write_bytes(b"PK\x03\x04 rubbish")
    others = {
        path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.name != name
    }
    options = ("--run", tmp_path / "run", "--prices", prices, "--quiet")
    status, _, err = call("report", *options)
    assert status == 1
    assert name in one_line(err)
    after = {
        path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.name != name
    }
    assert after == others


def note(**fields):
    return lambda header, _: header["notes"].update(fields)


DAMAGES = {
    "app": ("axnn.npz", note(app=3), "Expected `str`, got `int`"),
    "seed": ("network.npz", note(seed="1"), "Expected `int`, got `str`"),
    "epochs": ("network.npz", note(epochs=[1]), "Expected `object`, got `int`"),
    "plan": ("axnn.npz", note(plan=[]), "Expected `object`, got `array`"),
    "older steps": ("axnn.npz", note(steps=[{"number": 0}]), "missing required field `share`"),
    "list": ("axnn.npz", lambda h, _: h.update(notes=[1]), "Expected `object`, got `array`"),
    "scores": ("resilience.npz", lambda _, a: a.popitem(), "has no "),
    "shape": ("resilience.npz", lambda _, a: a.update({"random.0": np.ones(3)}), "be float64 (10"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_file_of_a_run_that_does_not_fit_is_one_line(run_folder, call, tmp_path, prices, damage):
    """A file is not what it should be although nothing before it has changed."""
    shutil.copytree(run_folder, tmp_path / "run")
    name, change, message = DAMAGES[damage]
    resave(tmp_path / "run" / name, change)
    command = "evaluate" if name == "axnn.npz" else "characterize"
    table = ("--prices", prices) if name == "axnn.npz" else ()
    status, _, err = call(command, "--run", tmp_path / "run", *table, "--quiet")
    assert status == 1
    assert message in one_line(err)
    assert name in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "nested deeper"),
        ("[1]", "Expected `object`, got `array`"),
        ('{"key": "k"}', "missing required field `made_from`"),
        (b'{"run": {"app": "\xff"}}', "utf-8"),
    ],
)
def test_evaluation_of_another_version_is_one_line(
    run_folder, call, tmp_path, prices, content, message
):
    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "evaluation.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, _, err = call("evaluate", "--run", tmp_path / "run", "--prices", prices, "--quiet")
    assert status == 1
    assert message.lower() in one_line(err).lower()
    assert str(path) in err


def test_unwritable_folder_is_one_line(call, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, _, err = call("train", "tiny", "--run", tmp_path / "file" / "run", "--quiet")
    assert status == 1
    assert str(tmp_path / "file") in one_line(err)


def test_missing_pyserial_is_one_line(call, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "qcnpe.boards.serial_port", raising=False)
    monkeypatch.setitem(sys.modules, "serial", None)
    status, _, err = call("run", "--run", tmp_path, "--port", "nowhere")
    assert status == 1
    assert "serial is missing: install the extra boards: pip install 'axnn[boards]'" in one_line(
        err
    )


def test_missing_data_is_one_line(call, tmp_path, monkeypatch):
    def offline(_seed):
        raise DataError("the tiny set cannot be had; connect and try again")

    monkeypatch.setitem(data.LOADERS, "tiny", offline)
    status, _, err = call("train", "tiny", "--run", tmp_path, "--quiet")
    assert (status, one_line(err)) == (
        1,
        "axnn: the tiny set cannot be had; connect and try again\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("train",),
        ("train", "tiny"),
        ("train", "tiny", "--run", "x", "--seed", "many"),
        ("approximate", "--run", "x", "--bound", "half"),
        ("dance",),
    ],
)
def test_wrong_usage_is_status_2(call, arguments):
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_unknown_application_lists_the_known_ones(call, tmp_path):
    status, _, err = call("train", "cats", "--run", tmp_path, "--quiet")
    assert status == 1
    assert "application must be one of digits8x8, digits, objects" in one_line(err)


@pytest.mark.parametrize("step", [*STEPS, "export", "verify"])
def test_help_has_an_example(call, step):
    status, out, _ = call(step, "--help")
    assert status == 0
    assert f"Example: axnn {step}" in out


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_quiet_and_json_keep_the_terminal_clean(call, tmp_path, option):
    status, out, err = call("train", "tiny", "--run", tmp_path, option)
    assert (status, err) == (0, "")
    assert out == "" if option == "--quiet" else json.loads(out)["app"] == "tiny"


@pytest.fixture
def table(tmp_path):
    """A table of 60 rows of two classes."""
    rng = np.random.default_rng(1)
    rows = [f"{rng.normal(2 * (n % 2)):.3f},{'' if n == 5 else n % 4},{n % 2}" for n in range(60)]
    (tmp_path / "My table.csv").write_text("\n".join(["size,kind,class", *rows]))
    return tmp_path / "My table.csv"


def test_own_data_are_told_about_and_pass_the_whole_chain(call, table, tmp_path, prices):
    run = tmp_path / "run"
    status, out, err = call("train", "--data", table, "--label", "class", "--run", run, "--json")
    assert status == 0, err
    assert json.loads(out)["app"] == "my_table"
    assert json.loads(out)["notes"][0].startswith("column 'kind': 1 of 60 values are missing")
    lines = err.splitlines()
    assert lines[0] == (
        "axnn: data: 60 samples (36 for training, 12 for validation, 12 for the test), 2 classes,"
        " 0, 1"
    )
    assert lines[1].startswith("axnn: column 'kind': 1 of 60 values are missing")
    assert lines[-1].startswith("axnn: network: 2 x 1 x 1 inputs, 32 relu (dense), 2 identity")
    for step in STEPS[1:]:
        arguments = [step, "--run", run, *(["--prices", prices] if step in STEPS[2:] else [])]
        assert call(*arguments, "--quiet")[0] == 0
    assert Samples.load(run / "test_inputs.npz").inputs.shape == (12, 2)


def test_a_regression_is_told_as_such(call, table, tmp_path):
    run = ("--data", table, "--target", "size", "--run", tmp_path / "run")
    status, out, err = call("train", *run)
    assert status == 0, err
    assert "12 for the test), a quantity, size" in err
    assert "validation R2" in out


def test_a_described_network_is_trained_as_it_is_described(call, table, tmp_path):
    own = ("--data", table, "--label", "class")
    call("train", *own, "--run", tmp_path / "a", "--quiet")
    status, text, _ = call("describe", "--run", tmp_path / "a")
    assert status == 0
    (tmp_path / "my.toml").write_text(text)
    assert call("train", "--network", tmp_path / "my.toml", "--run", tmp_path / "b")[0] == 0
    for name in ("run.json", "network.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    wider = text.replace("channels = 32", "channels = 7").replace("epochs = 200", "epochs = 2")
    (tmp_path / "my.toml").write_text(wider)
    changed = ("--network", tmp_path / "my.toml", *own, "--run", tmp_path / "c", "--quiet")
    assert call("train", *changed)[0] == 0
    assert RunFolder(tmp_path / "c").trained().network.spec.layers[0].channels == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "train needs an application (digits8x8, digits,"),
        (["tiny", "--data", "x.csv"], "train takes application tiny with its own data and network"),
        (["tiny", "--network", "x.toml"], "`axnn describe tiny` prints what to change"),
        (["tiny", "--label", "y"], "--label says how to read --data; give both"),
        (["--data", "x.csv"], "x.csv: no such file or folder; put it there, or name another"),
        (["--data", "x.npz", "--label", "y"], "x.npz: arrays have no label; leave it out"),
        (["--data", "x.csv", "--missing", "guess"], "missing must be median or refuse"),
        (["--data", "x.csv", "--target", "y", "--class-weights"], "a target has no classes"),
        (["--network", "x.toml"], "x.toml: no such file"),
    ],
)
def test_what_train_cannot_do_is_one_line(call, tmp_path, arguments, message):
    status, _, err = call("train", *arguments, "--run", tmp_path / "run")
    assert status == 1
    assert message in one_line(err)
    assert not (tmp_path / "run").exists()


def test_what_train_would_choose_is_described_without_training(call, table, tmp_path):
    own = ("--data", table, "--label", "class", "--drop", "kind")
    status, text, err = call("describe", *own)
    assert status == 0, err
    assert call("train", *own, "--run", tmp_path / "run", "--quiet")[0] == 0
    assert call("describe", "--run", tmp_path / "run")[1] == text


def test_describe_needs_one_application(call, tmp_path):
    for arguments in ([], ["tiny", "--run", tmp_path]):
        status, _, err = call("describe", *arguments)
        assert status == 1
        assert "describe needs an application, --run or --data, one of them" in one_line(err)


def test_fetch_brings_the_collections_of_the_application(call, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(registry._NEEDS, "tiny", (GOOD,))
    for app in ("tiny", "all"):
        monkeypatch.setattr("axnn.cli.networks.APPS", {"tiny": APPS["tiny"]})
        status, out, _ = call("fetch", app, "--json")
        assert status == 0
        document = json.loads(out)
        assert [entry["name"] for entry in document["collections"]] == ["pi"]
        assert (document["collections"][0]["seconds"] is None) == (app == "all")
    assert read_collection(GOOD)["values"].shape == (6,)


def test_fetch_without_a_network_is_one_line(call, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(registry._NEEDS, "tiny", (make_collection(Shelf(None)),))
    status, _, err = call("fetch", "tiny", "--quiet")
    assert status == 1
    assert "pi could not be fetched: shelf f.bin is empty. Connect and run" in one_line(err)


def test_version_and_python_m():
    for name in ("axnn", "qcnpe"):
        found = subprocess.run(
            [sys.executable, "-m", name, "--version"], capture_output=True, text=True, check=True
        )
        assert found.stdout == f"axnn {version('axnn')}\n"


def test_help_shows_the_default_of_the_bound(call):
    status, out, _ = call("approximate", "--help")
    assert status == 0
    assert "the application's: 0.5" in out


def test_collect_of_nothing_is_one_line_and_writes_nothing(call, tmp_path):
    out = tmp_path / "figures.json"
    arguments = ("collect", "letters", "--folder", tmp_path / "missing", "--out", out)
    status, printed, error = call(*arguments)
    assert status == 1
    assert printed == ""
    assert "missing: holds no experiments of letters; run `axnn experiments`" in error
    assert len(error.splitlines()) == 1
    assert not out.exists()
