"""A run on the user's data works on its folder alone, on the data that it began on."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import r2_score

from axnn.cpu import Predictor
from axnn.data import DataSet, OwnData
from axnn.errors import RunError
from axnn.flow.defaults import default_app
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, characterize_step, evaluate_step, train_step
from axnn.nn.train import TrainingPlan
from qcnpe.spec.errors import ConfigError, FormatError, InputError, QcnpeError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from tests.axnn.tiny import TABLE

PLAN = TrainingPlan(epochs=2, batch=16)


def write_table(path, factor=1.0, labels=("no", "yes")):
    rng = np.random.default_rng(3)
    rows = [f"{factor * rng.normal(i % 2):.4f},{labels[i % 2]}" for i in range(90)]
    path.write_text("x,y\n" + "\n".join(rows) + "\n")


def short(own, seed=1):
    app = default_app(own, own.load(seed))
    plan = replace(app.approximation, retraining=PLAN, long_epochs=0, bound_percent=20.0)
    return replace(app, training=PLAN, approximation=plan)


@pytest.fixture
def table(tmp_path):
    write_table(tmp_path / "table.csv")
    return tmp_path / "table.csv"


@pytest.fixture
def run(table, tmp_path):
    """A trained network."""
    folder = RunFolder(tmp_path / "run")
    train_step(folder, short(OwnData.at(table, label="y")), seed=1)
    return folder


def test_later_steps_need_the_folder_alone(run, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    folder = RunFolder(run.path)
    characterize_step(folder)
    plan = folder.record().app.approximation
    approximate_step(folder, plan)
    evaluation = evaluate_step(folder, TABLE)
    assert evaluation.samples == 18
    record = folder.record()
    assert record.encoding.classes.names == ("no", "yes")
    assert record.encoding.columns[0].name == "x"


def later_steps(run):
    return (
        run.samples,
        lambda: characterize_step(run),
        lambda: approximate_step(run, run.record().app.approximation),
    )


@pytest.mark.parametrize("change", [{"factor": 2.0}, {"labels": ("n", "y")}], ids=["unit", "names"])
def test_data_that_have_changed_are_refused(run, table, change):
    """A unit changes no scaled sample, a name no number: both change what the network means."""
    write_table(table, **change)
    for step in later_steps(run):
        with pytest.raises(RunError, match="has changed since the run began; run `axnn train`"):
            step()
    write_table(table)
    assert len(run.samples().test) == 18


def test_data_that_are_gone_are_named(run, table):
    table.unlink()
    for step in later_steps(run):
        with pytest.raises(FormatError, match=r"table.csv: no such file or folder; put it there"):
            step()


def test_data_that_have_moved_train_nothing_anew(run, table, tmp_path):
    before = run.network.read_bytes()
    moved = tmp_path / "moved" / "table.csv"
    moved.parent.mkdir()
    shutil.move(table, moved)
    lines: list[str] = []
    train_step(run, short(OwnData.at(moved, label="y")), seed=1, notify=lines.append)
    assert (run.network.read_bytes(), lines) == (before, [])
    assert len(run.samples().test) == 18


def test_one_seed_gives_the_same_files_wherever(run, table, tmp_path):
    other = RunFolder(tmp_path / "other")
    train_step(other, short(OwnData.at(table, label="y")), seed=1)
    for name in ("run.json", "network.npz"):
        assert (other.path / name).read_bytes() == (run.path / name).read_bytes()


def test_default_networks_fit_their_data(tmp_path):
    rng = np.random.default_rng(1)
    for label, grey in (("dark", 60), ("light", 190)):
        (tmp_path / "own" / label).mkdir(parents=True)
        for number in range(40):
            pixels = np.clip(rng.normal(grey, 40, (16, 20)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / label / f"{number}.png")
    own = OwnData.at(tmp_path / "own")
    app = default_app(own, own.load(1))
    assert [layer.kind for layer in app.network.layers] == ["convolution"] * 2 + ["dense"] * 2
    trained = train_step(RunFolder(tmp_path / "run"), replace(app, training=PLAN), seed=1)
    assert trained.epochs[-1].validation_accuracy > 0.9


@pytest.mark.parametrize("shape", [(1,), (900,), (1, 3, 40), (3, 64, 64), (1, 8, 8)])
def test_default_networks_can_be_built(shape, tmp_path):
    inputs = np.random.default_rng(1).random((30, *shape))
    np.savez(tmp_path / "x y-1.npz", inputs=inputs, labels=np.arange(30) % 3)
    own = OwnData.at(tmp_path / "x y-1.npz")
    app = default_app(own, DataSet.read(tmp_path / "x y-1.npz"))
    assert app.name == "x_y_1"
    assert app.network.wirings[-1].output_shape == (3, 1, 1)


def test_nothing_is_written_for_data_that_are_refused(tmp_path):
    own = OwnData.at(tmp_path / "no.csv", label="y")
    with pytest.raises(QcnpeError, match="no such file"):
        short(own)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_network_needs_an_output_for_each_class_and_no_more(tmp_path, table, outputs):
    app = short(OwnData.at(table, label="y"))
    hidden, last = app.network.layers
    network = replace(app.network, layers=(hidden, replace(last, channels=outputs)))
    message = f"the network has {outputs} outputs, but the data have 2 classes; give its last"
    with pytest.raises(RunError, match=message):
        train_step(RunFolder(tmp_path / "run"), replace(app, network=network), seed=1)
    assert not (tmp_path / "run").exists()


def test_class_weights_make_a_network_see_the_rare_class(tmp_path):
    """Of classes that overlap, 5 and 95 %, one without weights seldom answers the rare one."""
    rng = np.random.default_rng(4)
    rows = [f"{rng.normal(1.5 * (n % 20 == 0)):.4f},{int(n % 20 == 0)}" for n in range(2000)]
    (tmp_path / "rare.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    shares = {}
    for weights in (False, True):
        own = OwnData.at(tmp_path / "rare.csv", label="y", class_weights=weights)
        app = replace(short(own), training=TrainingPlan(epochs=15, batch=32, learning_rate=0.05))
        run = RunFolder(tmp_path / f"run-{weights}")
        trained = train_step(run, app, seed=1)
        test = run.samples().test
        answers = trained.network.predict(test.inputs).argmax(axis=1)
        shares[weights] = answers[test.labels == 1].mean()
        approximate_step(run, app.approximation)
        evaluation = evaluate_step(run, TABLE)
        assert run.facts().quality == ("balanced accuracy" if weights else "accuracy")
        recalls = [np.mean(answers[test.labels == label] == label) for label in (0, 1)]
        wanted = np.mean(recalls) if weights else np.mean(answers == test.labels)
        assert evaluation.float_accuracy == pytest.approx(wanted)
    assert shares[False] < 0.2
    assert shares[True] > 0.5


def test_a_run_without_class_weights_is_not_taken_for_one_with_them(run, table):
    lines: list[str] = []
    own = OwnData.at(table, label="y", class_weights=True)
    train_step(run, short(own), seed=1, notify=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith(f"{run.network}: ")


@pytest.fixture(scope="module")
def smooth(tmp_path_factory):
    """A table of a smooth function with a little noise, and a finished run of its regression."""
    folder = tmp_path_factory.mktemp("smooth")
    rng = np.random.default_rng(8)
    inputs = rng.uniform(-2, 2, (800, 2))
    values = 1000 + 100 * (np.sin(2 * inputs[:, 0]) + inputs[:, 1] ** 2 + rng.normal(0, 0.1, 800))
    rows = [f"{a:.5f},{b:.5f},{y:.5f}" for (a, b), y in zip(inputs, values, strict=True)]
    (folder / "smooth.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    own = OwnData.at(folder / "smooth.csv", target="y")
    app = default_app(own, own.load(1))
    retraining = replace(app.approximation.retraining, epochs=8)
    plan = replace(app.approximation, retraining=retraining, bound_percent=2.0)
    app = replace(app, training=replace(app.training, epochs=60), approximation=plan)
    run = RunFolder(folder / "run")
    train_step(run, app, seed=1)
    characterize_step(run)
    approximate_step(run, plan)
    evaluate_step(run, TABLE)
    return run


def test_regression_explains_what_can_be_explained(smooth):
    """All but the noise's 0.5 % of the variance, in a long training; this one is short."""
    judged = smooth.judgement()
    assert judged.run.quality == "R2"
    assert judged.evaluation.float_accuracy > 0.9
    assert judged.evaluation.exact16_accuracy == pytest.approx(
        judged.evaluation.float_accuracy, abs=0.002
    )
    trials = smooth.approximated().trials
    kept = [trial.accuracy for trial in trials if trial.kept]
    assert len(kept) > 1
    assert min(kept) >= trials[0].accuracy - 0.02 - 1e-9


def test_integers_answer_the_quantity(smooth):
    """Results, their scale and the record give what scikit-learn judges on the table itself."""
    samples, record = smooth.samples(), smooth.record()
    quantity = record.encoding.quantity
    assert quantity is not None
    net, inputs = QuantNet.load(smooth.axnn), Samples.load(smooth.test_inputs)
    assert inputs.labels is None
    found = quantity.decode(net.real_outputs(infer(net, inputs.inputs))[:, 0])
    wanted = quantity.decode(samples.test.labels)
    table = np.loadtxt(str(record.app.data_title), delimiter=",", skiprows=1)
    assert np.isin(np.round(wanted, 1), np.round(table[:, 2], 1)).mean() > 0.9
    judged = smooth.judgement().evaluation.axnn_accuracy
    assert r2_score(wanted, found) == pytest.approx(judged, abs=1e-4)


def test_predictors_of_classes_refuse_a_regression(smooth):
    with pytest.raises(ConfigError, match="smooth is a regression; predictors give classes"):
        Predictor.load(smooth.network)


def test_no_criterion_ignores_the_only_output(smooth):
    """Random signs without their mean would be 0 for a network with one output."""
    for name, layers in characterize_step(smooth).items():
        if name not in ("random", "weight"):
            assert max(layer.max() for layer in layers) > 0, name


def test_new_rows_are_encoded_as_those_of_the_table(tmp_path):
    rng = np.random.default_rng(6)
    rows = [(n % 7 or None, f"{rng.normal():.3f}", "ab "[n % 3].strip()) for n in range(80)]
    text = "\n".join(f"{a if a else ''},{b},{c},{int(float(b) > 0)}" for a, b, c in rows)
    (tmp_path / "own.csv").write_text(f"a,b,c,y\n{text}\n")
    own = OwnData.at(tmp_path / "own.csv", label="y")
    run = RunFolder(tmp_path / "run")
    train_step(run, short(own), seed=1)
    predictor = Predictor.load(run.network)
    columns = dict(zip("abc", zip(*rows, strict=True), strict=True))
    inputs = predictor.encoding.table_inputs({**columns, "other": ()})
    scaled = predictor.encoding.scaling.apply(inputs)
    parts = (run.samples().train, run.samples().validation, run.samples().test)
    known = np.concatenate([part.inputs for part in parts])[:, :, 0, 0]
    np.testing.assert_allclose(np.sort(scaled[:, :, 0, 0], axis=0), np.sort(known, axis=0))
    labels = predictor.predict_labels(inputs)
    assert set(labels) <= {0, 1}
    for wrong, message in (
        ({"a": [1]}, "column 'b' is missing"),
        ({**columns, "b": ["x"] * 80}, "column 'b' holds numbers, not 'x'"),
        ({**columns, "b": [1]}, "columns differ in their number of rows"),
    ):
        with pytest.raises(InputError, match=message):
            predictor.encoding.table_inputs(wrong)
