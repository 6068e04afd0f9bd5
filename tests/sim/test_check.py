"""Whole networks on the simulated engine, and that the comparison can fail."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from qcnpe.driver import Transport
from qcnpe.rtl import afu
from qcnpe.spec.commands import TableLoad
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.streams import Streams
from sim.check import check_network, compare
from tests.qcnpe.networks import network, random_graph, random_inputs, random_layer

pytestmark = pytest.mark.xdist_group("sim4")


def convolutional(seed: int) -> QuantNet:
    """Two convolutions with pooling, one of them depth-wise, and a dense layer."""
    rng = np.random.default_rng(seed)
    first = Geometry(input_shape=(2, 8, 8), channels=4, kernel=(3, 3), padding=(1, 1), pool=(2, 2))
    second = Geometry(input_shape=(4, 4, 4), channels=4, kernel=(2, 2), stride=(2, 2), groups=4)
    return network(
        random_layer(rng, first, name="conv", function="relu"),
        random_layer(rng, second, name="depthwise", function="tanh", input_unsigned=True),
        random_layer(rng, Geometry.dense(16, 7), name="dense", function="sigmoid"),
    )


def dense(seed: int) -> QuantNet:
    """Two dense layers with neurons of every precision."""
    rng = np.random.default_rng(seed)
    return network(
        random_layer(rng, Geometry.dense(37, 13), name="hidden", function="tanh"),
        random_layer(rng, Geometry.dense(13, 6), name="logits"),
    )


def graph(seed: int) -> QuantNet:
    """A shortcut, maps read as one, and the network's input read late."""
    return random_graph(np.random.default_rng(seed))


@pytest.mark.parametrize("make", [convolutional, dense, graph])
@pytest.mark.parametrize("seed", [1, 2])
def test_networks_have_no_mismatch(engine4, make, seed):
    net = make(seed)
    inputs = random_inputs(np.random.default_rng(seed), net, 11)
    found = compare(net, inputs, engine4, batch=5)
    assert found.mismatches == 0
    assert found.samples == 11
    assert found.cycles == found.counted_cycles


class Tampering(Transport):
    """A transport that changes the streams before it sends them."""

    def __init__(self, engine: Transport, tamper: Callable[[Streams], Streams]) -> None:
        self.engine, self.tamper = engine, tamper
        self.config, self.cycles = engine.config, 0

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Change, then send."""
        return self.engine.exchange(self.tamper(streams))


def flip_weight_bit(streams: Streams) -> Streams:
    """The top bit of the very first weight lane."""
    weights = streams.weights.copy()
    weights[0, 0] ^= 0x8000
    return replace(streams, weights=weights)


def shift_one_place_further(streams: Streams) -> Streams:
    """The first neuron's rounding shift; the shift lies above the 16 bits of the bias."""
    parameters = streams.parameters.copy()
    neurons = len(parameters) - first_neuron(streams)
    parameters[-neurons] += 1 << 16
    return replace(streams, parameters=parameters)


def first_neuron(streams: Streams) -> int:
    """Parameter words before the first neuron's: the knots of a table."""
    return 33 if isinstance(streams.decode(EngineConfig())[0], TableLoad) else 0


@pytest.mark.parametrize("tamper", [flip_weight_bit, shift_one_place_further])
def test_tampered_program_is_caught(engine4, tamper):
    net = dense(3)
    inputs = random_inputs(np.random.default_rng(3), net, 8)
    assert compare(net, inputs, Tampering(engine4, tamper)).mismatches > 0
    assert compare(net, inputs, engine4).mismatches == 0


def test_wrong_rounding_in_the_rtl_is_caught(monkeypatch, tmp_path):
    """An engine whose AFU shifts one place too far loses the rounding of every accumulator."""
    monkeypatch.setattr(afu, "SHIFT_OFFSET", 15)
    net = dense(4)
    inputs = random_inputs(np.random.default_rng(4), net, 4)
    found = check_network(net, inputs, EngineConfig(rows=2, cols=2), folder=tmp_path)
    assert found.mismatches > 0
