"""Convolutions and windows against the operands that `Geometry.gather` lists, one by one."""

import numpy as np
import pytest

from axnn.nn.layers import AveragePooling, Convolution, SourceLayer, Subsampling
from qcnpe.spec.geometry import Geometry
from tests.axnn.nn.layers.test_gradients import (
    CONVOLUTIONS,
    WINDOWS,
    make_convolution,
    make_layer,
)

RNG = np.random.default_rng(3)


def gathered_sums(layer: SourceLayer, inputs: np.ndarray) -> np.ndarray:
    """(channels, outputs, batch) largest sum of products in each window."""
    geometry = layer.geometry
    padded = np.concatenate([inputs, np.zeros((1, inputs.shape[1]))])
    found = []
    for channel, weights in enumerate(layer.operand_weights()):
        operands = padded[geometry.gather[geometry.group_of(channel)]]
        found.append(np.einsum("owkn,k->own", operands, weights).max(axis=1))
    return np.stack(found)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_reads_what_the_geometry_says(name):
    layer = make_convolution(name, "identity")
    inputs = RNG.normal(size=(120, 2))
    expected = gathered_sums(layer, inputs) + layer.bias.value[:, None, None]
    assert layer.forward(inputs) == pytest.approx(expected.reshape(-1, 2))


@pytest.mark.parametrize("kind", [Subsampling, AveragePooling])
def test_windows_read_what_the_geometry_says(kind):
    if kind is Subsampling:
        layer = make_layer(Subsampling, WINDOWS, "identity")
    else:
        layer = AveragePooling(name="average", geometry=WINDOWS, function="identity")
    inputs = RNG.normal(size=(60, 2))
    expected = gathered_sums(layer, inputs) + layer.bias.value[:, None, None]
    assert layer.forward(inputs) == pytest.approx(expected.reshape(-1, 2))


def test_blocks_change_nothing(monkeypatch):
    layer = make_convolution("all")
    inputs = RNG.normal(size=(120, 2))
    whole = layer.forward(inputs)
    monkeypatch.setattr("axnn.nn.layers.columns._BLOCK_BYTES", 1)
    assert layer.forward(inputs) == pytest.approx(whole)


@pytest.mark.parametrize(
    "values",
    [
        {"groups": 1},
        {"stride": (1, 1)},
        {"padding": (1, 1)},
        {"pool": (1, 2)},
    ],
)
def test_windows_must_lie_side_by_side(values):
    plain = {"input_shape": (3, 5, 4), "channels": 3, "kernel": (2, 2), "stride": (2, 2)}
    geometry = Geometry(**{**plain, "groups": 3, **values})
    with pytest.raises(ValueError, match="needs depth-wise windows side by side"):
        make_layer(Subsampling, geometry, "tanh")


def test_single_precision_stays_single():
    layer = make_convolution("all")
    layer.weights.value = layer.weights.value.astype(np.float32)
    layer.bias.value = layer.bias.value.astype(np.float32)
    inputs = RNG.normal(size=(120, 2)).astype(np.float32)
    assert layer.forward(inputs).dtype == np.float32
    by_inputs = layer.backward(np.ones((layer.results.size // 2, 2), np.float32))
    assert by_inputs is not None
    assert by_inputs.dtype == np.float32
    assert isinstance(layer, Convolution)
    assert layer.weights.gradient.dtype == np.float32
