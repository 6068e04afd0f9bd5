"""Networks that ordinary processors cannot run are refused by layer and reason."""

from typing import Any

import pytest

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
        ({"adds": (SourceSpec(layer=-1),)}, "layer convolution1 cannot run on a processor"),
        ({"padding": (1, 1, 1, 0), "kernel": (3, 2)}, "layer convolution1 cannot run"),
        ({"dilation": (2, 2), "kernel": (2, 2)}, "layer convolution1 cannot run on a processor"),
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
