"""Scores against finite differences and against errors computed in integers."""

import numpy as np
import pytest

from axnn.approximation.resilience import CRITERIA, characterize, check_criterion, next_width
from axnn.data import Split
from axnn.data.task import cross_entropy
from axnn.nn.network import batch_innermost
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import QuantisedNetwork, uniform_precision
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.fixed import narrow
from tests.axnn.tiny import ENGINE, make_data, make_trained

DATA = make_data()
NETWORK = make_trained(DATA, "tanh")
EXACT = uniform_precision(NETWORK, 16)
SCALES = calibrate(NETWORK, DATA.train.inputs, EXACT, ENGINE)


def make_model(precision=EXACT) -> QuantisedNetwork:
    return QuantisedNetwork(NETWORK, SCALES, precision, ENGINE)


def hidden_results() -> np.ndarray:
    first = NETWORK.neuron_layers[0]
    flat = DATA.train.inputs.reshape(len(DATA.train), -1).T.astype(np.float64)
    return np.tanh(first.weights.value @ flat + first.bias.value[:, None])


def loss_slopes(hidden: np.ndarray) -> np.ndarray:
    """(neurons, samples) finite differences of each sample's loss by the hidden results."""
    second = NETWORK.neuron_layers[1]

    def losses(values):
        logits = second.weights.value @ values + second.bias.value[:, None]
        return cross_entropy(logits, DATA.train.labels)[0]

    step = 1e-5
    slopes = np.zeros_like(hidden)
    for neuron in range(len(hidden)):
        moved = np.zeros_like(hidden)
        moved[neuron] = step
        slopes[neuron] = (losses(hidden + moved) - losses(hidden - moved)) / (2 * step)
    return slopes


def test_gradient_and_fisher_agree_with_finite_differences():
    hidden = hidden_results()
    slopes = loss_slopes(hidden)
    scores = characterize(make_model(), DATA.train, ENGINE, seed=0)
    expected = {
        "gradient": np.abs(slopes).mean(axis=1),
        "fisher": np.square(slopes * hidden).mean(axis=1),
    }
    for name, values in expected.items():
        found = scores[name][0][:, 0]
        assert found == pytest.approx(values, rel=0.05, abs=0.02 * values.max()), name


def test_quantisation_criterion_is_the_squared_first_order_cost_per_mac():
    hidden = hidden_results()
    by_sums = loss_slopes(hidden) * (1 - hidden**2)
    eight = to_integers(NETWORK, SCALES, uniform_precision(NETWORK, 8), ENGINE).layers[0]
    sixteen = to_integers(NETWORK, SCALES, EXACT, ENGINE)
    inputs = sixteen.quantize_inputs(DATA.train.inputs)
    low, high = eight.widths[8], sixteen.layers[0].widths[16]
    copies = narrow(inputs, low.input_shifts[0], 8, unsigned=eight.input_unsigned)
    sums = low.weights.astype(np.int64) @ copies.T * 2.0 ** -low.shift[:, None].astype(float)
    exact = high.weights.astype(np.int64) @ inputs.T.astype(np.int64)
    error = (sums - exact * 2.0 ** -high.shift[:, None].astype(float)) / 2**13
    expected = np.square(by_sums * error).mean(axis=1) / 12
    found = characterize(make_model(), DATA.train, ENGINE, seed=0)["quantisation"][0][:, 0]
    assert found == pytest.approx(expected, rel=0.1, abs=0.02 * expected.max())


def test_logits_criterion_is_the_squared_first_order_change_of_the_logits_per_mac():
    """Summed over the logits without their mean, which the mean over random signs tends to."""
    hidden = hidden_results()
    second = NETWORK.neuron_layers[1].weights.value.astype(np.float64)
    by_hidden = second - second.mean(axis=0)
    model = make_model()
    many = Split(np.tile(DATA.train.inputs, (40, 1, 1, 1)), np.tile(DATA.train.labels, 40))
    found = characterize(model, many, ENGINE, seed=0, criteria=("logits",))["logits"][0][:, 0]
    lower = model.quantised_layers[0].sums_at(uniform_precision(NETWORK, 8)[0])
    model.forward(batch_innermost(DATA.train.inputs))
    error = model.quantised_layers[0].change(lower)[:, 0] * (1 - hidden**2)
    expected = np.square(by_hidden).sum(axis=0) * np.square(error).mean(axis=1) / 12
    assert found == pytest.approx(expected, rel=0.15)


def test_criteria_that_are_not_asked_for_are_left_out_and_change_nothing():
    whole = characterize(make_model(), DATA.train, ENGINE, seed=0)
    assert tuple(whole) == CRITERIA
    for name in CRITERIA:
        alone = characterize(make_model(), DATA.train, ENGINE, seed=0, criteria=(name,))
        assert list(alone) == [name]
        for first, second in zip(whole[name], alone[name], strict=True):
            assert np.array_equal(first, second)


def test_neurons_at_the_lowest_width_cannot_cost_more():
    precision = tuple(widths.copy() for widths in EXACT)
    precision[0][:4] = 2
    scores = characterize(make_model(precision), DATA.train, ENGINE, seed=0)["quantisation"][0]
    assert not scores[:4].any()
    assert scores[4:].all()


def test_batches_change_nothing(monkeypatch):
    whole = characterize(make_model(), DATA.train, ENGINE, seed=0)
    monkeypatch.setattr("axnn.approximation.resilience._BATCH", 7)
    parts = characterize(make_model(), DATA.train, ENGINE, seed=0)
    for name in CRITERIA:
        for first, second in zip(whole[name], parts[name], strict=True):
            assert first == pytest.approx(second, rel=1e-4)


def test_parameters_are_only_read_and_progress_is_told():
    before = NETWORK.state()
    seen: list[int] = []
    characterize(make_model(), DATA.train, ENGINE, seed=0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA.train)
    after = NETWORK.state()
    assert all(np.array_equal(value, after[name]) for name, value in before.items())


def test_weight_criterion_is_the_mean_magnitude_and_random_is_seeded():
    scores = characterize(make_model(), DATA.train, ENGINE, seed=3)
    for layer, found in zip(NETWORK.neuron_layers, scores["weight"], strict=True):
        assert found[:, 0] == pytest.approx(np.abs(layer.weights.value).mean(axis=1))
    again = characterize(make_model(), DATA.train, ENGINE, seed=3)["random"]
    other = characterize(make_model(), DATA.train, ENGINE, seed=4)["random"]
    assert np.array_equal(scores["random"][0], again[0])
    assert not np.array_equal(scores["random"][0], other[0])


def test_a_neuron_that_nobody_reads_is_the_most_resilient():
    network = make_trained(DATA, "tanh")
    network.neuron_layers[1].weights.value[:, 6] = 0
    model = QuantisedNetwork(network, SCALES, EXACT, ENGINE)
    split = Split(DATA.train.inputs[:30], DATA.train.labels[:30])
    scores = characterize(model, split, ENGINE, seed=0)
    for name in ("gradient", "fisher", "quantisation"):
        assert scores[name][0][6, 0] == 0
        assert (np.delete(scores[name][0], 6) > 0).all()


def test_next_width_is_the_engines():
    gated = EngineConfig(ncu="gated", precisions=(16, 12, 7))
    assert [next_width(width, ENGINE) for width in (16, 8, 4, 2)] == [8, 4, 2, 2]
    assert [next_width(width, gated) for width in (16, 12, 7)] == [12, 7, 7]


def test_unknown_criterion_is_refused():
    with pytest.raises(ConfigError, match="criterion must be one of gradient, quantisation"):
        check_criterion("magic")
