"""Data as they were measured: the same answers everywhere, or one line that says what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from axnn import data
from axnn.approximation.widths import integer_accuracy
from axnn.cpu import Predictor
from axnn.data import DataSet, Encoding, stratified_parts
from axnn.flow.apps import APPS, App, find_app, perceptron
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, train_step
from axnn.nn.train import TrainingPlan, validate
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import InputError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION

ENGINE = EngineConfig(rows=4, cols=4)


def digits():
    """Grey levels 0..16, and words for classes."""
    pictures, labels = load_digits(return_X_y=True)
    words = np.array([f"digit {number}" for number in range(10)])
    return pictures.reshape(-1, 1, 8, 8).astype(np.uint8), words[labels], (1, 8, 8)


def wine():
    """Columns of very different units, and classes 1 to 3."""
    columns, labels = load_wine(return_X_y=True)
    return columns, labels + 1, (13, 1, 1)


def make_set(inputs, labels) -> DataSet:
    parts = stratified_parts(labels, (0.2, 0.2), seed=1)
    test, validation, train = ((inputs[part], labels[part]) for part in parts)
    return DataSet.from_arrays("measured", train=train, validation=validation, test=test)


@pytest.fixture(scope="module", params=[digits, wine], ids=["digits", "wine"])
def measured(request, tmp_path_factory):
    """The set, its run folder, and the test part as it was measured."""
    inputs, labels, shape = request.param()
    samples = make_set(inputs, labels)
    network = perceptron("measured", inputs=1, hidden=24, classes=len(samples.classes))
    app = App(
        title="Measured",
        data="measured",
        network=replace(network, input_shape=shape),
        training=TrainingPlan(epochs=30, batch=16, learning_rate=0.1),
        approximation=replace(APPROXIMATION, retraining=TrainingPlan(epochs=1)),
        engine=ENGINE,
    )
    run = RunFolder(tmp_path_factory.mktemp("run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(APPS, "measured", app)
        patch.setitem(data.LOADERS, "measured", lambda seed: samples)
        train_step(run, app, seed=1)
        approximate_step(run, app.approximation)
        yield samples, run, inputs[stratified_parts(labels, (0.2, 0.2), seed=1)[0]]


def test_sixteen_bits_are_as_right_as_floating_point(measured):
    samples, run, _ = measured
    network = run.trained().network
    precision = uniform_precision(network, 16)
    scales = calibrate(network, samples.train.inputs, precision, ENGINE)
    net = to_integers(network, scales, precision, ENGINE)
    floating = validate(network, samples.test)[1]
    assert floating > 0.9
    assert integer_accuracy(net, samples.test) == pytest.approx(floating, abs=0.5 / 36)


def test_predictor_takes_measurements_and_gives_labels(measured):
    samples, run, raw = measured
    network = run.trained().network
    predictor = Predictor.load(run.network)
    wanted = network.predict(samples.test.inputs).argmax(axis=1)
    labels = predictor.predict_labels(raw)
    assert labels == [samples.classes.names[number] for number in wanted]
    assert {type(label) for label in labels} <= {int, str}
    predictor.save(run.path / "predictor.npz")
    assert Predictor.load(run.path / "predictor.npz").predict_labels(raw) == labels
    spoiled = raw.astype(np.float64)
    spoiled[3].flat[0] = 1e9
    with pytest.raises(InputError, match=r"predictor: sample 3 holds 1e\+09 in channel 0, where"):
        predictor.predict(spoiled)


def test_network_in_integers_knows_its_encoding_and_refuses_measurements(measured):
    samples, run, raw = measured
    net = QuantNet.load(run.axnn)
    assert Encoding.from_document(net.notes["encoding"]) == samples.encoding
    with pytest.raises(InputError, match="scaled as for the training"):
        net.quantize_inputs(raw)
    codes = net.quantize_inputs(samples.test.inputs)
    program = compile_network(net, ENGINE, len(codes))
    found = Driver(ModelTransport(ENGINE)).run(program, codes)
    np.testing.assert_array_equal(found, infer(net, codes))


def test_built_in_sets_are_scaled_by_their_loaders():
    assert data.load(find_app("digits8x8").data, seed=1).scaling.is_identity
