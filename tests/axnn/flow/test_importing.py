"""An imported network takes the place of a trained one; what does not fit leaves no run behind."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_digits

from axnn import cli
from axnn.data import OwnData
from axnn.errors import DataError, ForeignNetworkError, RunError
from axnn.flow.defaults import default_app
from axnn.flow.description import describe, read_app
from axnn.flow.importing import ImportedRun, KeptIntegers, import_step
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, characterize_step, evaluate_step, train_step
from axnn.frontend import Comparison, Grade, LayerDifference
from axnn.nn.train import TrainingPlan
from axnn.report import import_table
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from tests.axnn.frontend.graphs import floats, make_model, node, write
from tests.axnn.frontend.quantised import NETWORKS
from tests.axnn.tiny import TABLE

PLAN = TrainingPlan(epochs=1, batch=16)


def network_file(folder, outputs=2, end=()):
    """A network with a shortcut that tells which of two numbers is larger; `z` is what it says."""
    nodes = [
        node("Gemm", "x w b", "a"),
        node("Relu", "a", "c"),
        node("Gemm", "c v", "d"),
        node("Add", "a d", "e"),
        node("Gemm", "e u", "z" if end else "y"),
        *end,
    ]
    constants = {
        "w": np.array([[1, -1, 0.5], [-1, 1, 0.25]], np.float32),
        "b": np.array([0.1, 0.1, 0], np.float32),
        "v": 0.01 * floats((3, 3)),
        "u": np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 0]], np.float32)[:, :outputs][:, ::-1],
    }
    return write(folder, make_model(nodes, (2,), constants))


def table(folder, columns=2):
    """Numbers of up to 20, and which is larger: 0, the second; 1, the first."""
    rng = np.random.default_rng(1)
    rows = rng.uniform(-20, 20, (100, columns)).round(2)
    lines = [",".join(map(str, row)) + f",{int(row[0] > row[1])}" for row in rows]
    path = folder / "table.csv"
    path.write_text("\n".join([",".join("abc"[:columns]) + ",larger", *lines]))
    return OwnData.at(path, label="larger")


def test_later_steps_work_on_the_imported_network(tmp_path):
    run, said = RunFolder(tmp_path / "run"), list[str]()
    own = table(tmp_path)
    found = import_step(run, network_file(tmp_path), own, seed=1, notify=said.append)
    assert found.span == 32
    assert found.comparison.relative < 1e-6
    assert found.validation_quality > 0.9
    assert said[0] == "inputs are divided by 32, which the weights make up for"
    record = run.record()
    assert list(record.encoding.scaling.span) == [32.0, 32.0]
    assert np.abs(run.samples().train.inputs).max() < 20 / 32
    characterize_step(run)
    plan = replace(record.app.approximation, retraining=PLAN, bound_percent=20.0)
    approximate_step(run, plan)
    evaluation = evaluate_step(run, TABLE)
    assert evaluation.float_accuracy > 0.9
    assert evaluation.exact16_accuracy > 0.9


@pytest.mark.parametrize("case", ["gathered", "reversed", "shared", "inputs", "two maps"])
def test_class_k_is_output_k_of_the_file(tmp_path, case):
    """Also where the file puts its outputs in another order at the end."""
    weights, samples = floats((3, 3)), floats((90, 3), seed=2)
    head = [] if case == "inputs" else [node("Gemm", "x w", "a")]
    if case == "shared":
        head += [node("Relu", "a", "b"), node("Add", "b b", "c"), node("Sub", "c b", "d")]
    if case == "two maps":
        head += [node("Gemm", "x w", "b"), node("Concat", "b a", "c", axis=1)]
    source = {"inputs": "x", "shared": "d", "two maps": "c"}.get(case, "a")
    order = [2, 0, 1] if case != "two maps" else [5, 0, 1]
    last = node("Gather", f"{source} order", axis=1)
    if case == "reversed":
        order, last = [2, 1, 0], node("Slice", "a last far axis last")
    constants = {"w": weights, "order": np.array(order)}
    constants |= {"last": np.array([-1]), "far": np.array([-9]), "axis": np.array([1])}
    model = make_model([*head, last], (3,), constants)
    path = write(tmp_path, model)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": samples})
    np.savez(tmp_path / "own.npz", inputs=samples, labels=np.argmax(np.asarray(wanted), axis=1))
    found = import_step(RunFolder(tmp_path / "run"), path, OwnData.at(tmp_path / "own.npz"), seed=1)
    assert found.validation_quality == 1


@pytest.mark.parametrize("names", [["10", "8", "9"], ["8", "9", "10"], ["a", "b", "c"]])
def test_classes_that_the_file_has_in_another_order_are_refused(tmp_path, names):
    """As scikit-learn sorts labels that were read as text, where they are numbers here."""
    last = helper.make_node(
        "ZipMap", ["p"], ["y"], domain="ai.onnx.ml", classlabels_strings=names, name="zip"
    )
    model = make_model([node("Gemm", "x w", "a"), node("Softmax", "a", "p"), last], (3,), W)
    model.opset_import.add(domain="ai.onnx.ml", version=3)
    np.savez(tmp_path / "own.npz", inputs=floats((60, 3)), labels=np.arange(60) % 3 + 8)
    run, path, own = RunFolder(tmp_path / "run"), write(tmp_path, model), tmp_path / "own.npz"
    if names[0] != "10":  # in the same order, or names of another kind
        assert import_step(run, path, OwnData.at(own), seed=1).comparison.agreement == 1
        return
    with pytest.raises(
        ForeignNetworkError, match=r"classes 10, 8, 9, but in order .* 8, 9, 10; give"
    ):
        import_step(run, path, OwnData.at(own), seed=1)


W = {"w": floats((3, 3))}


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
@pytest.mark.parametrize(
    ("foreign", "given"),
    [
        ((6, 5), (6, 5)),
        ((6, 5), (30,)),
        ((6, 5), (1, 6, 5)),
        ((30,), (6, 5)),
        ((6, 5, 1), (6, 5, 1)),
        ((6, 5, 1), (30,)),
        ((6, 5, 3), (6, 5, 3)),
        ((6, 5, 3), (3, 6, 5)),
        ((6, 5, 3), (90,)),
        ((3, 6, 5), (3, 6, 5)),
    ],
)
def test_samples_that_the_file_flattens_have_any_shape(tmp_path, operator, foreign, given):
    """As in the first example of every tutorial."""
    size = int(np.prod(foreign))
    nodes = [node("Flatten", "x", "a"), node(operator, "a w")]
    path = write(tmp_path, make_model(nodes, foreign, {"w": floats((size, 3))}))
    samples = floats((60, *foreign), seed=2)
    wanted = np.argmax(samples.reshape(60, -1) @ floats((size, 3)), axis=1)
    channels_first = given == (3, 6, 5) and foreign != given
    moved = samples.transpose(0, 3, 1, 2) if channels_first else samples.reshape(60, *given)
    np.savez(tmp_path / "own.npz", inputs=moved, labels=wanted)
    own, run = OwnData.at(tmp_path / "own.npz"), RunFolder(tmp_path / "run")
    assert import_step(run, path, own, seed=1).validation_quality == 1


@pytest.mark.parametrize(("foreign", "shape"), [((2, 9), (2, 1, 9)), ((30,), (1, 6, 5))])
def test_samples_have_the_shape_that_the_file_reads(tmp_path, foreign, shape):
    """Those of a convolution along a sequence, and columns that the file makes a picture of."""
    kernel = floats((4, shape[0], *([3] if len(foreign) == 2 else [3, 3])))
    nodes = [node("Conv", "x w" if len(foreign) == 2 else "p w", "a"), node("Relu", "a", "b")]
    if len(foreign) == 1:
        nodes.insert(0, node("Reshape", "x s", "p"))
    size = 28 if len(foreign) == 2 else 48
    constants = {"w": kernel, "v": floats((size, 3), seed=4), "s": np.array([-1, *shape])}
    model = make_model([*nodes, node("Flatten", "b", "c"), node("Gemm", "c v")], foreign, constants)
    path, samples = write(tmp_path, model), floats((90, *foreign), seed=2)
    (wanted,) = ReferenceEvaluator(str(path)).run(None, {"x": samples})
    labels = np.argmax(np.asarray(wanted), axis=1)
    np.savez(tmp_path / "own.npz", inputs=samples, labels=labels)
    run, own = RunFolder(tmp_path / "run"), OwnData.at(tmp_path / "own.npz")
    found = import_step(run, path, own, seed=1)
    assert (found.validation_quality, found.comparison.agreement) == (1, 1)
    assert run.samples().input_shape == run.record().app.network.input_shape == shape
    app = run.record().app
    (tmp_path / "app.toml").write_text(describe(app))
    assert read_app(tmp_path / "app.toml") == app


def test_flat_samples_of_coloured_pictures_are_refused(tmp_path):
    """Nothing says whether the colours of a pixel lie side by side."""
    model = make_model([node("Gemm", "x w")], (90,), {"w": floats((90, 3))})
    np.savez(tmp_path / "own.npz", inputs=floats((60, 3, 6, 5)), labels=np.arange(60) % 3)
    path, own = write(tmp_path, model), OwnData.at(tmp_path / "own.npz")
    with pytest.raises(
        ForeignNetworkError, match=r"of \(90, 1, 1\), but the data are of \(3, 6, 5"
    ):
        import_step(RunFolder(tmp_path / "run"), path, own, seed=1)


def test_samples_that_are_the_same_in_both_orders_are_refused(tmp_path):
    """Eight rows, columns and channels: nothing says which axis of the samples is which."""
    nodes = [node("Transpose", "x", "a", perm=[0, 3, 1, 2]), node("Conv", "a w", "b")]
    model = make_model([*nodes, node("Flatten", "b")], (8, 8, 8), {"w": floats((2, 8, 8, 8))})
    np.savez(tmp_path / "own.npz", inputs=floats((60, 8, 8, 8)), labels=np.arange(60) % 2)
    path, own = write(tmp_path, model), OwnData.at(tmp_path / "own.npz")
    with pytest.raises(ForeignNetworkError, match="may have their channels first or last; export"):
        import_step(RunFolder(tmp_path / "run"), path, own, seed=1)


def test_places_of_maps_in_another_order_are_refused(tmp_path):
    nodes = [node("Transpose", "x", "a", perm=[0, 2, 3, 1]), node("Flatten", "a")]
    path = write(tmp_path, make_model(nodes, (2, 1, 2)))
    np.savez(tmp_path / "own.npz", inputs=floats((60, 2, 1, 2)), labels=np.arange(60) % 4)
    with pytest.raises(ForeignNetworkError, match="exchanges axes of its output at the end"):
        import_step(RunFolder(tmp_path / "run"), path, OwnData.at(tmp_path / "own.npz"), seed=1)
    own, said = OwnData.at(tmp_path / "own.npz", unlabelled=True), list[str]()
    import_step(RunFolder(tmp_path / "run"), path, own, seed=1, notify=said.append)
    assert "outputs are in the order of channels, rows and columns, which is not the file's" in said


def test_quantised_network(tmp_path):
    found = load_digits()
    inputs = (found.images[:600, None] / 16).astype(np.float32)
    np.savez(tmp_path / "digits.npz", inputs=inputs, labels=found.target[:600])
    own, run = OwnData.at(tmp_path / "digits.npz"), RunFolder(tmp_path / "run")
    done = import_step(run, NETWORKS / "brevitas_half_up.onnx", own, seed=1)
    assert done.comparison.relative > 1e-3  # its activations are not rounded
    assert done.validation_quality > 0.85
    assert done.integers is not None
    assert done.integers.grade == "exact"
    assert [layer.different for layer in done.integers.layers] == [0, 0, 0]
    net = QuantNet.load(run.imported)
    part = run.samples().validation
    outputs = infer(net, net.quantize_inputs(part.inputs))
    assert (outputs.argmax(axis=1) == part.labels).mean() > 0.85
    characterize_step(run)
    plan = replace(run.record().app.approximation, retraining=PLAN, bound_percent=20.0)
    approximate_step(run, plan)
    assert evaluate_step(run, TABLE).float_accuracy > 0.85


def test_quantisers_that_change_the_answers_are_told(tmp_path):
    """What they cut off at 1 is up to 40 without them, and then more than the other output."""
    constants = {
        "w": np.array([[1, 0], [-1, 0]], np.float32),
        "b": np.array([0, 5], np.float32),
        "s": np.float32(1 / 128),
        "z": np.array(0, np.int8),
        "u": np.array([[1, 0], [0, 1]], np.float32),
    }
    nodes = [
        node("Gemm", "x w", "a"),
        node("QuantizeLinear", "a s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("Gemm", "d u b", "y"),
    ]
    path, said = write(tmp_path, make_model(nodes, (2,), constants)), list[str]()
    done = import_step(
        RunFolder(tmp_path / "run"), path, table(tmp_path), seed=1, notify=said.append
    )
    assert done.comparison.agreement < 0.8
    (line,) = (line for line in said if "answers as the file does" in line)
    assert f"for {done.comparison.agreement:.0%} of 100 samples only" in line


def test_table_of_a_quantised_network():
    layers = (LayerDifference(name="dense1", results=1000, different=3, largest=1.0),)
    kept = KeptIntegers(
        grade=Grade.VALUES, reasons=("halves to even",), layers=layers, saturated={"a": 0.25}
    )
    compared = Comparison(samples=9, largest_difference=1.0, largest_output=2.0, agreement=1.0)
    table = import_table(
        ImportedRun(
            title="net",
            layers=1,
            span=1.0,
            comparison=compared,
            integers=kept,
            quality_name="accuracy",
            validation_quality=1.0,
        )
    )
    console = Console(width=120, record=True, file=StringIO())
    console.print(table)
    text = console.export_text()
    assert "values: weights and scales are the file's, some results are rounded otherwise" in text
    assert "halves to even" in text
    assert "25.0% of the results" in text
    assert "3 of 1,000 results differ, by up to 1 steps" in text


def test_files_that_have_changed_are_refused(tmp_path):
    run = RunFolder(tmp_path / "run")
    import_step(run, network_file(tmp_path), table(tmp_path), seed=1)
    text = (tmp_path / "table.csv").read_text()
    (tmp_path / "table.csv").write_text(text + "\n0,1,0")
    with pytest.raises(RunError, match="has changed since the run began; run `axnn import` again"):
        run.samples()


def test_what_does_not_fit_leaves_no_run(tmp_path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(ForeignNetworkError, match="3 outputs, but the data are of 2 classes"):
        import_step(run, network_file(tmp_path, outputs=3), table(tmp_path), seed=1)
    nodes = [node("Unsqueeze", "x t", "z"), node("Conv", "z w", "a"), node("Flatten", "a")]
    constants = {"w": np.ones((1, 2, 1), np.float32), "t": np.array([2], np.int64)}
    convolution = write(tmp_path, make_model(nodes, (2,), constants))
    with pytest.raises(ForeignNetworkError, match="must be that of a dense layer"):
        import_step(run, convolution, table(tmp_path), seed=1)
    nodes = [node("Tanh", "x", "a"), node("Gemm", "a w")]
    path = write(tmp_path, make_model(nodes, (2,), {"w": floats((2, 2))}))
    with pytest.raises(ForeignNetworkError, match=r"by \S+ of the largest output, more than 1e-30"):
        import_step(run, path, table(tmp_path), seed=1, limit=1e-30)
    assert not run.path.exists()


@pytest.mark.parametrize("end", [(), (node("Sigmoid", "z", "y"),)], ids=["plain", "sigmoid"])
def test_one_output_for_two_classes(tmp_path, end):
    run = RunFolder(tmp_path / "run")
    found = import_step(run, network_file(tmp_path, 1, end), table(tmp_path), seed=1)
    assert found.validation_quality > 0.9
    network = run.trained().network
    assert network.spec.wirings[-1].channels == 2
    logits = network.predict(run.samples().test.inputs)
    assert np.allclose(logits[:, 0], -logits[:, 1])
    assert np.array_equal(logits.argmax(axis=1), run.samples().test.labels)


def test_a_quantity_in_its_units(tmp_path):
    """A network that was fitted to the values as they are: R2 is 1, whatever their mean."""
    rng = np.random.default_rng(1)
    rows = rng.uniform(-20, 20, (100, 2))
    lines = [f"{a},{b},{2 * a - b + 1000}" for a, b in rows]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,price", *lines]))
    constants = {"w": np.array([[2], [-1]], np.float32), "b": np.array([1000], np.float32)}
    model = write(tmp_path, make_model([node("Gemm", "x w b")], (2,), constants))
    own = OwnData.at(tmp_path / "table.csv", target="price")
    run = RunFolder(tmp_path / "run")
    found = import_step(run, model, own, seed=1)
    assert found.validation_quality > 0.999
    samples = run.samples()
    outputs = run.trained().network.predict(samples.test.inputs)[:, 0]
    assert np.abs(outputs - samples.test.labels).max() < 1e-4
    constants = {"w": floats((2, 2))}
    model = write(tmp_path, make_model([node("Gemm", "x w")], (2,), constants))
    with pytest.raises(ForeignNetworkError, match="2 outputs, but the data are of one quantity"):
        import_step(run, model, own, seed=1)


def test_command(tmp_path, monkeypatch, capsys):
    model, own = network_file(tmp_path), table(tmp_path)
    words = ["import", str(model), "--data", own.path, "--label", "larger"]
    monkeypatch.setattr("sys.argv", ["axnn", *words, "--run", str(tmp_path / "run"), "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    said = json.loads(capsys.readouterr().out)
    assert said["comparison"]["samples"] == 100
    assert said["relative_difference"] < 1e-6
    assert said["quality_name"] == "accuracy"


def test_command_refuses_in_one_line(tmp_path, monkeypatch, capsys):
    own = table(tmp_path, columns=3)
    words = ["import", str(network_file(tmp_path)), "--data", own.path, "--label", "larger"]
    monkeypatch.setattr("sys.argv", ["axnn", *words, "--run", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "reads samples of (2, 1, 1), but the data are of (3, 1, 1)" in line


def test_without_labels_the_network_answers_for_itself(tmp_path):
    run = RunFolder(tmp_path / "run")
    lines = Path(table(tmp_path).path).read_text().splitlines()
    path = tmp_path / "samples.csv"
    path.write_text("\n".join(line.rpartition(",")[0] for line in lines))
    own = OwnData.at(path, unlabelled=True)
    found = import_step(run, network_file(tmp_path), own, seed=1)
    assert found.quality_name == "agreement with the network's own answers"
    assert found.validation_quality == 1.0
    samples, trained = run.samples(), run.trained()
    for part in (samples.train, samples.validation, samples.test):
        answers = trained.network.predict(part.inputs).argmax(axis=1)
        assert np.array_equal(part.labels, answers)
        assert len(np.unique(answers)) == 2
    characterize_step(run)
    plan = replace(run.record().app.approximation, retraining=PLAN, bound_percent=20.0)
    approximate_step(run, plan)
    evaluation = evaluate_step(run, TABLE)
    assert evaluation.float_accuracy == 1.0
    assert run.facts().quality == "agreement with the network's own answers"


def test_what_says_the_quality_says_with_what_it_agrees(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "samples.npz", inputs=rng.uniform(-20, 20, (60, 2)))
    words = ["import", str(network_file(tmp_path)), "--calibrate", str(tmp_path / "samples.npz")]
    monkeypatch.setattr("sys.argv", ["axnn", *words, "--run", str(tmp_path / "run"), "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    assert json.loads(capsys.readouterr().out)["quality_name"].startswith("agreement with")


def test_labels_in_arrays_are_left_out_where_none_are_wanted(tmp_path):
    inputs = np.random.default_rng(1).uniform(-1, 1, (40, 2))
    np.savez(tmp_path / "a.npz", inputs=inputs)
    np.savez(tmp_path / "b.npz", inputs=inputs, labels=np.arange(40) % 5)
    first, second = (
        OwnData.at(tmp_path / name, unlabelled=True).load(1) for name in ("a.npz", "b.npz")
    )
    assert first.digest == second.digest
    assert len(first.classes) == 1


def test_pictures_without_classes(tmp_path):
    for number in range(20):
        folder = tmp_path / "pictures" / ("" if number % 2 else "more")
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.full((4, 4), 10 * number, np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.png")
    samples = OwnData.at(tmp_path / "pictures", unlabelled=True).load(1)
    assert sum(len(part) for part in (samples.train, samples.validation, samples.test)) == 20


def test_samples_without_labels_train_nothing(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.random.default_rng(1).uniform(-1, 1, (40, 2)))
    own = OwnData.at(tmp_path / "a.npz", unlabelled=True)
    app = default_app(own, own.load(1))
    with pytest.raises(RunError, match="samples without labels teach no network; give labels"):
        train_step(RunFolder(tmp_path / "run"), app, seed=1)


@pytest.mark.parametrize("how", [{"label": "larger"}, {"class_weights": True}])
def test_labels_that_are_not_read_are_not_named(tmp_path, how):
    with pytest.raises(DataError, match="is read without labels; leave out what names them"):
        OwnData.at(tmp_path / "table.csv", unlabelled=True, **how)


def test_import_needs_samples_with_labels_or_without(tmp_path, monkeypatch, capsys):
    words = ["import", str(network_file(tmp_path)), "--run", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["axnn", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert "import needs samples: --data with labels, or --calibrate without" in said
