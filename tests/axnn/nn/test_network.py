"""Networks: built from descriptions, correct as a whole, the same after a passage through files."""

from typing import Any

import numpy as np
import pytest

from axnn.nn.network import Network, batch_innermost
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from qcnpe.spec.errors import ConfigError, FormatError
from tests.axnn.nn.layers.test_gradients import finite_differences
from tests.axnn.tiny import make_spec
from tests.damage import resave


def test_forward_pass_is_the_formula():
    network = Network(make_spec("tanh"), seed=3)
    samples = np.random.default_rng(0).random((7, 1, 3, 4)).astype(np.float32)
    first, second = network.neuron_layers
    first.bias.value[:] = np.linspace(-1, 1, 10)
    flat = samples.reshape(7, 12)
    hidden = np.tanh(flat @ first.weights.value.T + first.bias.value)
    logits = hidden @ second.weights.value.T + second.bias.value
    assert network.predict(samples) == pytest.approx(logits, abs=1e-6)


def test_prediction_does_not_depend_on_the_batches(monkeypatch):
    network = Network(make_spec(), seed=3)
    samples = np.random.default_rng(0).random((7, 1, 3, 4)).astype(np.float32)
    whole = network.predict(samples)
    monkeypatch.setattr("axnn.nn.network._PREDICT_BATCH", 3)
    assert network.predict(samples) == pytest.approx(whole, abs=1e-6)


def test_batch_becomes_the_innermost_axis():
    samples = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    columns = batch_innermost(samples)
    assert columns.shape == (12, 2)
    assert columns.flags.c_contiguous
    assert list(columns[:, 1]) == list(range(12, 24))


def test_start_weights_keep_the_variance():
    spec = NetworkSpec(
        name="wide",
        input_shape=(1, 1, 400),
        layers=(
            LayerSpec(kind="dense", channels=400, function="relu"),
            LayerSpec(kind="dense", channels=400, function="identity"),
        ),
    )
    first, second = Network(spec, seed=0).neuron_layers
    assert first.weights.value.var() == pytest.approx(2 / 400, rel=0.02)
    assert second.weights.value.var() == pytest.approx(2 / 800, rel=0.02)


def test_file_gives_the_same_network_and_notes(tmp_path):
    network = Network(make_spec("sigmoid"), seed=3)
    network.save(tmp_path / "n.npz", {"seed": 3})
    loaded, notes = Network.load(tmp_path / "n.npz")
    samples = np.random.default_rng(0).random((7, 1, 3, 4)).astype(np.float32)
    assert notes == {"seed": 3}
    assert loaded.spec == network.spec
    assert np.array_equal(loaded.predict(samples), network.predict(samples))


def first_layer(**fields):
    return lambda header, _: header["spec"]["layers"][0].update(fields)


def give(header, **fields):
    header["spec"].update(fields)


DAMAGES = {
    "no spec": (lambda h, _: h.pop("spec"), "missing required field `spec`"),
    "no layers": (lambda h, a: h["spec"].update(layers=[]), "needs at least one layer"),
    "kind": (first_layer(kind="x"), "kind of a layer must be"),
    "older version": (first_layer(size=3), "unknown field 'size'"),
    "type": (lambda _, a: a.update({"0.weights": np.zeros((10, 12))}), "must be float32 (10, 12)"),
    "shape": (lambda _, a: a.update({"0.bias": a["0.bias"][1:]}), "must be float32 (10,)"),
    "not a number": (lambda _, a: a["0.bias"].fill(np.nan), "values that are not finite"),
    "one kernel size": (first_layer(kernel=[1]), "length 2"),
    "text": (first_layer(channels="10"), "Expected `int | null`, got `str`"),
    "fraction": (first_layer(channels=10.5), "Expected `int | null`, got `float`"),
    "notes": (lambda h, _: h.update(notes=[1]), "Expected `object`, got `array`"),
    "input": (lambda h, _: h["spec"].update(input_shape=[1, 1]), "length 3"),
    "10**400": (first_layer(channels=10**400), "more than 64 bits"),
    "4.6 GB": (
        lambda h, a: (first_layer(channels=20000)(h, a), give(h, input_shape=[1, 1, 20000])),
        "has 400080003 parameters, more than",
    ),
    "200 MB that are not there": (
        first_layer(channels=4_000_000),
        "array 0.weights must be float32 (4000000, 12), not float32 (10, 12)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_one_clear_error(tmp_path, damage):
    path = tmp_path / "n.npz"
    Network(make_spec(), seed=0).save(path, {})
    change, message = DAMAGES[damage]
    resave(path, change)
    with pytest.raises(FormatError, match=r"n\.npz: ") as caught:
        Network.load(path)
    assert message in str(caught.value)


def test_no_weights_are_made_for_a_file_that_does_not_hold_them(tmp_path, monkeypatch):
    path = tmp_path / "n.npz"
    Network(make_spec(), seed=0).save(path, {})
    resave(path, first_layer(channels=1_000_000))
    monkeypatch.delattr("axnn.nn.network._start_weights")
    with pytest.raises(FormatError, match=r"0\.weights must be"):
        Network.load(path)


def test_parameters_of_another_shape_are_refused():
    state = Network(make_spec(hidden=10), seed=0).state()
    with pytest.raises(FormatError, match=r"0\.weights must be float32 \(9, 12\)"):
        Network(make_spec(hidden=9), seed=0).set_state(state)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"kind": "loop"},
            "kind of a layer must be dense or convolution or subsampling or average or "
            "identity, not 'loop'",
        ),
        ({"channels": 0}, "channels must be at least 1, not 0"),
        ({"function": "swish"}, "function must be one of identity, relu, tanh, sigmoid"),
    ],
)
def test_bad_layers_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        LayerSpec(**{"kind": "dense", "channels": 3, "function": "relu", **values})


def test_last_layer_must_give_logits():
    layer = LayerSpec(kind="dense", channels=3, function="relu")
    with pytest.raises(ConfigError, match="the last layer must be identity"):
        NetworkSpec(name="n", input_shape=(1, 1, 2), layers=(layer,))


def test_gradients_of_a_graph_add_up_over_all_readers():
    """The first layer is read three times, the network's input twice."""
    window: dict[str, Any] = {"kernel": (3, 3), "padding": (1, 1)}
    spec = NetworkSpec(
        name="graph",
        input_shape=(2, 3, 3),
        layers=(
            LayerSpec(kind="convolution", channels=3, function="tanh", **window),
            LayerSpec(
                kind="convolution",
                channels=3,
                function="tanh",
                adds=(SourceSpec(layer=0), SourceSpec(layer=-1, kind="convolution")),
                **window,
            ),
            LayerSpec(
                kind="dense",
                channels=2,
                function="identity",
                adds=(SourceSpec(layer=0, kind="dense"),),
            ),
        ),
    )
    network = Network(spec, seed=1)
    for parameter in network.parameters.values():
        parameter.value = parameter.value.astype(np.float64)
    rng = np.random.default_rng(1)
    inputs, weight_of_logit = rng.normal(size=(18, 2)), rng.normal(size=(2, 2))

    def loss() -> float:
        return float((network.forward(inputs) * weight_of_logit).sum())

    loss()
    network.backward(weight_of_logit)
    found = {name: each.gradient.copy() for name, each in network.parameters.items()}
    for name, parameter in network.parameters.items():
        expected = finite_differences(loss, parameter.value)
        assert found[name] == pytest.approx(expected, abs=1e-7), name


def residual_spec() -> NetworkSpec:
    """A residual network with normalised sums, pooled in its first layer."""
    kernel: dict[str, Any] = {"kernel": (3, 3), "padding": (1, 1), "function": "relu"}
    projection = SourceSpec(layer=0, kind="convolution", stride=(2, 2), batch_norm=True)
    return NetworkSpec(
        name="residual",
        input_shape=(2, 8, 8),
        layers=(
            LayerSpec(kind="convolution", channels=4, pool=(2, 2), batch_norm=True, **kernel),
            LayerSpec(kind="convolution", channels=6, stride=(2, 2), batch_norm=True, **kernel),
            LayerSpec(
                kind="convolution", channels=6, adds=(projection,), batch_norm=True, **kernel
            ),
            LayerSpec(kind="average", kernel=(2, 2), function="identity"),
            LayerSpec(kind="dense", channels=3, function="identity", batch_norm=True),
        ),
    )


def test_folded_network_computes_the_same_without_batch_norm():
    network = Network(residual_spec(), seed=1)
    rng = np.random.default_rng(2)
    for name, parameter in network.parameters.items():
        if "variance" not in name:
            parameter.value[...] = rng.normal(0, 0.5, parameter.value.shape)
        else:
            parameter.value[...] = rng.uniform(0.5, 2, parameter.value.shape)
    folded = network.folded()
    assert {name.split(".")[1] for name in folded.parameters} == {"weights", "weights_1", "bias"}
    samples = rng.normal(size=(5, 2, 8, 8)).astype(np.float32)
    assert folded.predict(samples) == pytest.approx(network.predict(samples), abs=1e-4)


def test_running_statistics_become_those_of_the_batches():
    network = Network(residual_spec(), seed=1)
    samples = np.random.default_rng(2).normal(size=(64, 2, 8, 8)).astype(np.float32)
    with network.training(np.random.default_rng(0)):
        for _ in range(100):
            trained = network.forward(batch_innermost(samples)).T
    assert network.predict(samples) == pytest.approx(trained, abs=0.05)


def test_normalised_network_passes_through_its_file(tmp_path):
    network = Network(residual_spec(), seed=1)
    network.save(tmp_path / "n.npz", {})
    loaded, _ = Network.load(tmp_path / "n.npz")
    assert loaded.digest == network.digest
    assert loaded.spec == network.spec


def test_only_weighted_sums_are_normalised():
    with pytest.raises(ConfigError, match="batch_norm of kind average must be False, not True"):
        LayerSpec(kind="average", kernel=(2, 2), function="identity", batch_norm=True)
    with pytest.raises(ConfigError, match="batch_norm of kind identity must be False, not True"):
        SourceSpec(layer=0, batch_norm=True)
