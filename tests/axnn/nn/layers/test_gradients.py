"""Gradients of every layer against finite differences, in double precision."""

from typing import Any

import numpy as np
import pytest

from axnn.nn.layers import (
    Addition,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Identity,
    SourceLayer,
    Subsampling,
)
from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.geometry import Geometry, Source, Wiring

STEP = 1e-6
WINDOWS = Geometry(input_shape=(3, 5, 4), channels=3, kernel=(2, 2), stride=(2, 2), groups=3)
CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {"kernel": (3, 2)},
    "padded": {"kernel": (3, 3), "padding": (1, 2)},
    "strided": {"kernel": (2, 2), "stride": (2, 1)},
    "grouped": {"kernel": (2, 2), "groups": 2},
    "depth-wise": {"kernel": (3, 3), "groups": 4, "padding": (1, 1)},
    "pooled by 2": {"kernel": (2, 2), "pool": (1, 2)},
    "pooled by 4": {"kernel": (2, 2), "pool": (2, 2)},
    "pooled, with a rest": {"kernel": (1, 1), "pool": (2, 2)},
    "dilated": {"kernel": (2, 3), "dilation": (3, 2), "stride": (1, 2)},
    "padded on one side": {"kernel": (3, 3), "padding": (2, 0, 1, 1)},
    "all": {"kernel": (3, 2), "stride": (1, 2), "padding": (1, 1), "groups": 2, "pool": (2, 1)},
}
POOLS: dict[str, dict[str, Any]] = {
    "none": {},
    "side by side": {"pool": (2, 2)},
    "overlapping": {"pool": (2, 2), "pool_stride": (1, 1)},
    "with gaps": {"pool": (1, 2), "pool_stride": (2, 3)},
    "over the edge": {"pool": (2, 2), "pool_stride": (2, 1), "pool_padding": (1, 1, 0, 1)},
    "three in a row": {"pool": (3, 1), "pool_stride": (2, 1), "pool_padding": (1, 0, 2, 0)},
}


def make_layer(kind: type[SourceLayer], geometry: Geometry, function: str) -> SourceLayer:
    """A layer with random float64 parameters."""
    rng = np.random.default_rng(0)
    fan_in = 1 if kind is Subsampling else geometry.fan_in
    return kind(
        name="layer",
        geometry=geometry,
        function=function,
        weights=rng.normal(size=(geometry.channels, fan_in)),
        bias=rng.normal(size=geometry.channels),
    )


def make_convolution(name: str, function: str = "tanh") -> Convolution:
    geometry = Geometry(input_shape=(4, 5, 6), channels=4, **CONVOLUTIONS[name])
    layer = make_layer(Convolution, geometry, function)
    assert isinstance(layer, Convolution)
    return layer


def finite_differences(loss, array):
    """Central differences of loss() by every element of the array, which is changed in place."""
    slopes = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + STEP
        above = loss()
        array[index] = value - STEP
        slopes[index] = (above - loss()) / (2 * STEP)
        array[index] = value
    return slopes


def check_gradients(layer, features: int) -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(features, 3))
    weight_of_result = rng.normal(size=layer.forward(inputs).shape)

    def loss() -> float:
        return float((layer.forward(inputs) * weight_of_result).sum())

    loss()
    by_inputs = layer.backward(weight_of_result)
    gradients = {name: entry.gradient.copy() for name, entry in layer.parameters.items()}
    assert by_inputs == pytest.approx(finite_differences(loss, inputs), abs=1e-7)
    for name, parameter in layer.parameters.items():
        expected = finite_differences(loss, parameter.value)
        assert gradients[name] == pytest.approx(expected, abs=1e-7), name


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_dense(function):
    check_gradients(make_layer(Dense, Geometry.dense(5, 4), function), 5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name):
    check_gradients(make_convolution(name), 4 * 5 * 6)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_convolution_with_each_function(function):
    check_gradients(make_convolution("pooled by 2", function), 4 * 5 * 6)


def test_convolution_in_blocks(monkeypatch):
    monkeypatch.setattr("axnn.nn.layers.columns._BLOCK_BYTES", 1)
    check_gradients(make_convolution("all"), 4 * 5 * 6)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_subsampling(function):
    check_gradients(make_layer(Subsampling, WINDOWS, function), 3 * 5 * 4)


def test_average_pooling():
    layer = AveragePooling(name="average", geometry=WINDOWS, function="tanh")
    assert not layer.parameters
    check_gradients(layer, 3 * 5 * 4)


@pytest.mark.parametrize("name", POOLS)
def test_identity(name):
    geometry = Geometry(input_shape=(2, 5, 6), channels=2, **POOLS[name])
    layer = Identity(name="pool", geometry=geometry, function="tanh")
    assert not layer.parameters
    check_gradients(layer, 2 * 5 * 6)
    # The same by the operands that the engine gathers.
    values = np.random.default_rng(2).normal(size=(60, 2))
    padded = np.concatenate([values, np.zeros((1, 2))])
    operands = padded[geometry.gather[0]]  # outputs, window, channel, batch
    expected = np.tanh(operands.max(axis=1).swapaxes(0, 1).reshape(-1, 2))
    assert layer.forward(values) == pytest.approx(expected)


def test_addition():
    """A convolution of one map, one of the same map dilated, and another map as it is."""
    sources = (
        Source(Geometry(input_shape=(2, 4, 4), channels=3, kernel=(3, 3), padding=(1, 1)), 4),
        Source(Geometry(input_shape=(3, 4, 4), channels=3), 2),
        Source(
            Geometry(
                input_shape=(2, 4, 4), channels=3, kernel=(2, 2), dilation=(2, 2), padding=(1, 1)
            ),
            4,
        ),
    )
    first, _, last = (source.geometry for source in sources)
    layer = Addition(
        name="sum",
        wiring=Wiring(sources),
        function="tanh",
        parts=(
            make_layer(Convolution, first, "identity"),
            Identity(name="shortcut", geometry=sources[1].geometry, function="identity"),
            make_layer(Convolution, last, "identity"),
        ),
        bias=np.random.default_rng(3).normal(size=3),
    )
    assert set(layer.parameters) == {"weights", "weights_2", "bias"}
    check_gradients(layer, 5 * 16)
    # The same as a product of gathered operands and all weights.
    values = np.random.default_rng(2).normal(size=(80, 2))
    padded = np.concatenate([values, np.zeros((1, 2))])
    operands = padded[layer.wiring.operands(0, np.arange(16))[:, 0]]
    sums = np.einsum("cf,ofn->con", layer.operand_weights(), operands)
    expected = np.tanh(sums + layer.bias.value[:, None, None])
    assert layer.forward(values) == pytest.approx(expected.reshape(-1, 2))


def test_dropout():
    layer = Dropout(0.4)
    layer.generator = np.random.default_rng(5)
    values = np.ones((200, 50))
    kept = layer.forward(values)
    assert set(np.unique(kept)) == {0, 1 / 0.6}
    assert kept.mean() == pytest.approx(1, abs=0.03)
    assert layer.backward(values) == pytest.approx(kept)
    assert layer.backward(values, inputs=False) is None
    layer.generator = None
    assert layer.forward(values) is values
    assert layer.backward(values) is values


def test_gradient_of_a_tie_goes_to_one_of_the_largest():
    geometry = Geometry(input_shape=(1, 2, 2), channels=1, pool=(2, 2))
    layer = Convolution(
        name="tie",
        geometry=geometry,
        function="identity",
        weights=np.ones((1, 1)),
        bias=np.zeros(1),
    )
    layer.forward(np.array([[2.0], [3.0], [3.0], [1.0]]))
    assert layer.backward(np.full((1, 1), 7.0)) == pytest.approx(np.array([[0], [7], [0], [0]]))


@pytest.mark.parametrize("name", ["padded", "pooled by 4", "grouped"])
def test_batch_norm(name, monkeypatch):
    monkeypatch.setattr("axnn.nn.layers.batch_norm._BLOCK_BYTES", 1)
    layer = BatchNorm(make_convolution(name))
    layer.gain.value[:] = [0.5, -2.0, 1.5, 0.1]  # its magnitude counts
    layer.set_training(np.random.default_rng(0))
    check_gradients(layer, 4 * 5 * 6)


def test_addition_of_normalised_sums():
    geometry = Geometry(input_shape=(2, 4, 4), channels=3, kernel=(3, 3), padding=(1, 1))
    parts = [BatchNorm(make_layer(Convolution, geometry, "identity")) for _ in range(2)]
    layer = Addition(
        name="sum",
        wiring=Wiring((Source(geometry, 1), Source(geometry, 0))),
        function="tanh",
        parts=parts,
        bias=np.random.default_rng(3).normal(size=3),
    )
    names = {
        f"{name}{end}" for name in ("weights", "gain", "mean", "variance") for end in ("", "_1")
    }
    assert set(layer.parameters) == {*names, "bias"}
    layer.set_training(np.random.default_rng(0))
    check_gradients(layer, 2 * 32)
