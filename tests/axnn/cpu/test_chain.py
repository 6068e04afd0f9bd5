"""Networks without kinds to choose from are refused by layer and reason; predictors run them."""

from typing import Any

import numpy as np
import pytest

from axnn.cpu import Predictor
from axnn.cpu.chain import chain_of
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from qcnpe.spec.errors import ConfigError
from tests.axnn.tiny import make_spec


def test_a_chain_is_its_layers():
    network = Network(make_spec(), seed=0)
    assert chain_of(network) == network.neuron_layers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adds": (SourceSpec(layer=-1),)}, "layer convolution1 has no kinds to choose from"),
        ({"padding": (1, 1, 1, 0), "kernel": (3, 2)}, "layer convolution1 has no kinds"),
        ({"dilation": (2, 2), "kernel": (2, 2)}, "layer convolution1 has no kinds to choose from"),
    ],
)
def test_what_no_kernel_computes_is_refused(change, message):
    first: dict[str, Any] = {"kind": "convolution", "channels": 2, "function": "relu", **change}
    last = LayerSpec(kind="dense", channels=3, function="identity")
    spec = NetworkSpec(name="n", input_shape=(2, 4, 4), layers=(LayerSpec(**first), last))
    with pytest.raises(ConfigError, match=f"network n: {message}"):
        chain_of(Network(spec, seed=0))


def test_layers_that_read_another_one_are_refused():
    dense: dict[str, Any] = {"kind": "dense", "channels": 3}
    layers = (
        LayerSpec(**dense, function="relu"),
        LayerSpec(**dense, function="relu", reads=-1),
        LayerSpec(**dense, function="identity", adds=(SourceSpec(layer=0, kind="dense"),)),
    )
    network = Network(NetworkSpec(name="n", input_shape=(2, 1, 1), layers=layers), seed=0)
    with pytest.raises(ConfigError, match="layer dense2 must read the layer before it"):
        chain_of(network)


def graph(function="relu"):
    """A shortcut, dilation, uneven padding, overlapping windows, the input read late."""
    return NetworkSpec(
        name="graph",
        input_shape=(2, 7, 6),
        layers=(
            LayerSpec(
                kind="convolution",
                channels=4,
                kernel=(3, 2),
                dilation=(2, 1),
                padding=(2, 1, 2, 0),
                function=function,
            ),
            LayerSpec(
                kind="convolution",
                channels=4,
                kernel=(3, 3),
                padding=(1, 1),
                groups=2,
                function=function,
                adds=(SourceSpec(layer=0), SourceSpec(layer=-1, kind="convolution")),
            ),
            LayerSpec(kind="identity", pool=(2, 2), pool_stride=(2, 1), function="identity"),
            LayerSpec(kind="average", kernel=(3, 1), function="identity"),
            LayerSpec(
                kind="dense",
                channels=3,
                function="identity",
                adds=(SourceSpec(layer=-1, kind="dense"),),
            ),
        ),
    )


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("function", ["relu", "tanh"])
def test_predictors_run_graphs(function, compiled):
    network = Network(graph(function), seed=1)
    for parameter in network.parameters.values():
        parameter.value += np.float32(0.1)
    inputs = np.random.default_rng(1).uniform(-1, 1, (37, 2, 7, 6)).astype(np.float32)
    found = Predictor.exact(network, compiled=compiled).decision_function(inputs)
    np.testing.assert_allclose(found, network.predict(inputs), atol=1e-5)


def test_partition_and_threads_change_no_bit_of_a_graph(tmp_path):
    network = Network(graph(), seed=1)
    inputs = np.random.default_rng(1).uniform(-1, 1, (150, 2, 7, 6)).astype(np.float32)
    predictor = Predictor.exact(network)
    whole = predictor.decision_function(inputs)
    parts = [predictor.decision_function(inputs[a:b]) for a, b in ((0, 1), (1, 70), (70, 150))]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(Predictor.exact(network, threads=2).decision_function(inputs), whole)
    predictor.save(tmp_path / "graph.npz")
    loaded = Predictor.load(tmp_path / "graph.npz")
    assert np.array_equal(loaded.decision_function(inputs), whole)
