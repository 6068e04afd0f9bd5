"""Activation functions, their slopes, and what all layers of neurons have in common."""

import numpy as np
import pytest

from axnn.nn.layers import SLOPES, Dense, activate
from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.geometry import Geometry

STEP = 1e-6


def make_dense(function: str, seed: int = 0) -> Dense:
    rng = np.random.default_rng(seed)
    return Dense(
        name="dense",
        geometry=Geometry.dense(5, 4),
        function=function,
        weights=rng.normal(size=(4, 5)),
        bias=rng.normal(size=4),
    )


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_slope_is_the_derivative(function):
    z = np.array([-3.1, -0.7, 0.2, 2.9])
    slope = (activate(function, z + STEP) - activate(function, z - STEP)) / (2 * STEP)
    assert SLOPES[function](activate(function, z)) * np.ones(4) == pytest.approx(slope, abs=1e-8)


def test_first_layer_need_not_return_an_input_gradient():
    layer = make_dense("tanh")
    layer.forward(np.ones((5, 2)))
    assert layer.backward(np.ones((4, 2)), inputs=False) is None


def test_sigmoid_far_below_zero_is_zero_without_a_warning(recwarn):
    assert activate("sigmoid", np.array([-200.0], np.float32)) == 0
    assert not recwarn.list
