"""The predictor: the same results by every path, in every partition; clear errors."""

import threading
from itertools import pairwise

import numpy as np
import pytest

from axnn.cpu import Predictor
from axnn.cpu.choice.approximated import Approximated
from axnn.cpu.choice.model import input_scales
from axnn.data import Classes, Encoding, Scaling
from axnn.nn.spec import LayerSpec, NetworkSpec
from qcnpe.spec.errors import ConfigError, FormatError, InputError
from tests.axnn.cpu.tiny_nets import (
    make_network,
    pooled,
    random_assignment,
    random_inputs,
    summed,
)
from tests.damage import resave

SPECS = {"summed": summed(), "pooled": pooled(), "sigmoid": summed("sigmoid")}


@pytest.fixture(params=SPECS)
def network(request):
    return make_network(SPECS[request.param])


def mixed(network, *, seed=0):
    rng = np.random.default_rng(seed)
    scales = input_scales(network, random_inputs(network, 50))
    return Approximated(network, random_assignment(network, rng), scales)


@pytest.mark.parametrize("compiled", [True, False])
def test_exact_predictor_computes_the_network(network, compiled):
    inputs = random_inputs(network, 37)
    predictor = Predictor.exact(network, compiled=compiled)
    np.testing.assert_allclose(
        predictor.decision_function(inputs), network.predict(inputs), atol=5e-6
    )


@pytest.mark.parametrize("seed", range(3))
def test_both_paths_compute_what_was_trained(network, seed):
    approximated, inputs = mixed(network, seed=seed), random_inputs(network, 37)
    wanted = approximated.model().predict(inputs)
    # A sum next to the middle between two bytes may be rounded either way: one part in 127.
    for compiled in (True, False):
        found = Predictor(approximated, compiled=compiled).decision_function(inputs)
        assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
        assert np.median(np.abs(found - wanted)) < 1e-3 * np.abs(wanted).max()


def test_partition_and_threads_change_no_bit(network):
    approximated, inputs = mixed(network), random_inputs(network, 150)
    whole = Predictor(approximated).decision_function(inputs)
    again = Predictor(approximated).decision_function(inputs)
    by_two = Predictor(approximated, threads=2).decision_function(inputs)
    predictor = Predictor(approximated)
    cuts = [0, 1, 8, 40, 44, 150]  # of few samples, that are computed singly, and of many
    parts = [predictor.decision_function(inputs[a:b]) for a, b in pairwise(cuts)]
    for other in (again, by_two, np.concatenate(parts)):
        np.testing.assert_array_equal(other, whole)


def test_many_threads_share_one_predictor(network):
    predictor = Predictor(mixed(network), threads=2)
    batches = [random_inputs(network, 70, seed=seed) for seed in range(6)]
    wanted = [predictor.decision_function(batch) for batch in batches]
    wrong: list[int] = []

    def work(index):
        found = [predictor.decision_function(batches[index]) for _ in range(20)]
        wrong.extend(index for one in found if not np.array_equal(one, wanted[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_probabilities_and_classes_follow_the_logits(network):
    predictor, inputs = Predictor.exact(network), random_inputs(network, 20)
    logits = predictor.decision_function(inputs).astype(np.float64)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.predict_proba(inputs), wanted, rtol=1e-5)
    np.testing.assert_array_equal(predictor.predict(inputs), wanted.argmax(axis=1))


def test_saved_predictor_is_the_same(network, tmp_path):
    approximated, inputs = mixed(network), random_inputs(network, 20)
    Predictor(approximated).save(tmp_path / "a.npz")
    loaded = Predictor.load(tmp_path / "a.npz")
    loaded.save(tmp_path / "b.npz")
    wanted = Predictor(approximated).decision_function(inputs)
    np.testing.assert_array_equal(loaded.decision_function(inputs), wanted)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_trained_network_loads_as_it_is(network, tmp_path):
    network.save(tmp_path / "network.npz", {})
    inputs = random_inputs(network, 5)
    found = Predictor.load(tmp_path / "network.npz").decision_function(inputs)
    np.testing.assert_allclose(found, network.predict(inputs), atol=5e-6)


def test_encoding_must_have_a_class_for_each_logit(network):
    logits = network.neuron_layers[-1].geometry.channels
    with pytest.raises(ConfigError, match=f"encoding must have {logits} classes, one for each"):
        Predictor.exact(network, encoding=Encoding.plain(logits + 1))


@pytest.mark.parametrize("place", [0, 700, 1499])
def test_bytes_hold_the_largest_input_wherever_it_is(place):
    network = make_network(summed())
    inputs = np.full((1500, *network.spec.input_shape), 0.01, np.float32)
    inputs[place, 0, 0, 0] = -0.75
    assert input_scales(network, inputs)[0] == pytest.approx(0.75 / 127)


def test_no_samples_give_no_results(network):
    for options in ({}, {"threads": 2}, {"compiled": False}):
        predictor = Predictor.exact(network, **options)
        none = np.empty((0, *network.spec.input_shape), np.float32)
        assert predictor.predict(none).shape == (0,)
        assert predictor.predict_proba(none).shape == (0, predictor.classes)


def test_rows_of_features_and_other_floats_are_taken(network):
    predictor, inputs = Predictor.exact(network), random_inputs(network, 6)
    wanted = predictor.decision_function(inputs)
    for form in (inputs.reshape(6, -1), inputs.astype(np.float64), np.asfortranarray(inputs)):
        np.testing.assert_array_equal(predictor.decision_function(form), wanted)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[:, :, :3], r"inputs must be \(samples, 2, 12, 11\) or \(samples, 264\), not"),
        (lambda x: x[0], r"inputs must be \(samples"),
        (lambda x: x.astype(np.uint8), "floating-point numbers, .* not uint8"),
        (lambda x: x.astype(complex), "floating-point numbers, .* not complex128"),
        (lambda x: np.where(np.arange(4)[:, None, None, None] == 2, np.nan, x), "sample 2 holds"),
        (lambda x: np.where(np.arange(4)[:, None, None, None] == 1, np.inf, x), "sample 1 holds"),
        (lambda x: np.where(np.arange(4)[:, None, None, None] == 1, 16, x), "sample 1 holds 16 at"),
    ],
)
def test_inputs_that_cannot_be_classified(spoil, message):
    network = make_network(summed())
    with pytest.raises(InputError, match=message):
        Predictor.exact(network).predict(spoil(random_inputs(network, 4)))


def test_threads_are_checked():
    with pytest.raises(ConfigError, match="threads must be at least 1, not 0"):
        Predictor.exact(make_network(summed()), threads=0)


def test_files_that_are_no_predictor(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        Predictor.load(tmp_path / "missing.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    with pytest.raises(FormatError, match="not a readable"):
        Predictor.load(tmp_path / "bad.npz")


DAMAGES = {
    "kinds lost": (lambda _, a: a.pop("kinds.0"), r"has no 'kinds\.0\.npy'"),
    "weights lost": (lambda _, a: a.pop("value.0.weights"), r"has no 'value\.0\.weights\.npy'"),
    "kind unknown": (lambda _, a: a["kinds.0"].fill(9), "layer 0 must have a kind in 0"),
    "scales": (lambda h, _: h["scales"].pop(), "scales must be one positive number for each layer"),
    "infinite": (lambda h, _: h.update(scales=["inf"]), "Expected `float`, got `str`"),
    "spec": (lambda h, _: h["spec"]["layers"][0].update(stride=[1.0, 1]), "Expected `int`"),
    "another kind": (lambda h, _: h.update(kind="qcnpe-network-1"), "holds 'qcnpe-network-1', not"),
    "kind of kind": (lambda h, _: h.update(kind=3), "its header names no kind"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_predictor_is_one_clear_error(damage, tmp_path):
    path = tmp_path / "predictor.npz"
    Predictor(mixed(make_network(summed()))).save(path)
    change, message = DAMAGES[damage]
    resave(path, change)
    with pytest.raises(FormatError, match=message) as caught:
        Predictor.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_numbers_whose_squares_are_too_large_are_numbers():
    network = make_network(summed())
    huge = np.full((1, *network.spec.input_shape), 1e30, np.float32)
    encoding = Encoding(Scaling.fit(np.concatenate([huge, -huge])), Classes.numbered(3))
    assert np.isfinite(Predictor.exact(network, encoding=encoding).predict_proba(huge)).all()


def test_probabilities_of_large_logits_are_numbers():
    network = make_network(summed())
    network.neuron_layers[-1].weights.value *= 1e4
    found = Predictor.exact(network).predict_proba(random_inputs(network, 8))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_windows_of_any_size():
    """More positions than any of the networks above adds up."""
    spec = NetworkSpec(
        name="wide",
        input_shape=(1, 16, 16),
        layers=(
            LayerSpec(kind="convolution", channels=9, kernel=(2, 2), function="tanh"),
            LayerSpec(kind="subsampling", kernel=(5, 5), function="tanh"),
            LayerSpec(kind="dense", channels=2, function="identity"),
        ),
    )
    network = make_network(spec)
    inputs = random_inputs(network, 33)
    found = Predictor.exact(network).decision_function(inputs)
    np.testing.assert_allclose(found, network.predict(inputs), atol=5e-6)
