"""The final judgement: accuracies counted by hand, inputs that run without this package."""

from dataclasses import asdict

import numpy as np
import pytest

from axnn.approximation.loop import approximate
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import Evaluation, evaluate, integer_samples
from qcnpe.spec.documents import convert_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.inference import infer
from tests.axnn.approximation.test_loop import PLAN
from tests.axnn.tiny import ENGINE, TABLE, make_data, make_trained

DATA = make_data()
ENERGY = EnergyModel(TABLE, ENGINE)


@pytest.fixture(scope="module")
def found():
    return approximate(make_trained(DATA), DATA, PLAN, ENERGY.counter, seed=1)


def count_right(logits: np.ndarray) -> int:
    right = 0
    for row, label in zip(logits.tolist(), DATA.test.labels.tolist(), strict=True):
        right += row.index(max(row)) == label
    return right


def test_accuracies_are_the_fractions_right_on_the_test_part(found):
    network = make_trained(DATA)
    judged = evaluate(network, found.exact, found.axnn, DATA.test, ENERGY)
    inputs = found.axnn.quantize_inputs(DATA.test.inputs)
    assert judged.samples == 60
    assert judged.float_accuracy == count_right(network.predict(DATA.test.inputs)) / 60
    assert judged.exact16_accuracy == count_right(infer(found.exact, inputs)) / 60
    assert judged.axnn_accuracy == count_right(infer(found.axnn, inputs)) / 60


def test_costs_are_those_of_the_networks(found):
    judged = evaluate(make_trained(DATA), found.exact, found.axnn, DATA.test, ENERGY)
    assert judged.exact16_pj == pytest.approx(ENERGY.exact_cost(found.exact).energy_pj)
    assert judged.axnn_pj == pytest.approx(ENERGY.price(found.last_kept.events))
    assert judged.energy_ratio == pytest.approx(judged.exact16_pj / judged.axnn_pj)
    assert sum(judged.layers_pj.values()) == pytest.approx(judged.axnn_pj)
    assert judged.precision_histogram == found.last_kept.histogram


def test_integer_samples_are_what_the_network_reads(found):
    samples = integer_samples(found.axnn, DATA.test)
    expected = np.minimum(np.floor(DATA.test.inputs.reshape(60, -1) * 32768.0 + 0.5), 32767)
    assert np.array_equal(samples.inputs, expected)
    np.testing.assert_array_equal(samples.labels, DATA.test.labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axnn_pj": 0.0}, "Expected `float` > 0"),
        ({"float_accuracy": 98.5}, "Expected `float` <= 1"),
        ({"exact16_memory_pj": -1.0}, "Expected `float` >= 0"),
    ],
)
def test_figures_out_of_range_are_no_evaluation(found, change, message):
    network = make_trained(DATA)
    judged = evaluate(network, found.exact, found.axnn, DATA.test, ENERGY)
    document = asdict(judged)
    assert convert_document(document, Evaluation, where="e") == judged
    with pytest.raises(FormatError, match=message):
        convert_document(document | change, Evaluation, where="e")
