"""The functions against the C library's in double precision."""

import numpy as np
import pytest

from axnn.cpu.kernels.curves import (
    TANH_DENOMINATOR,
    TANH_ERROR_ULP,
    TANH_NUMERATOR,
    evaluate,
    minimax_tanh,
)

X = np.concatenate([np.linspace(-20, 20, 200_001), np.geomspace(1e-30, 1, 5_001)])
X = X.astype(np.float32)


def test_tanh_is_right_to_a_few_units_in_the_last_place():
    wanted = np.tanh(X.astype(np.float64))
    found = evaluate("tanh", X)
    unit = np.spacing(np.abs(wanted).astype(np.float32))
    assert np.abs((found - wanted) / unit).max() <= TANH_ERROR_ULP
    assert np.abs(found).max() <= 1


def test_sigmoid_is_right_to_its_stated_error():
    wanted = 1 / (1 + np.exp(-X.astype(np.float64)))
    assert np.abs(evaluate("sigmoid", X) - wanted).max() < 4e-7


def test_coefficients_are_those_of_the_fit():
    found = minimax_tanh()
    assert found.error < 1e-8
    np.testing.assert_allclose(found.numerator, TANH_NUMERATOR, rtol=1e-6)
    np.testing.assert_allclose(found.denominator, TANH_DENOMINATOR, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("identity", [-2, -0.5, 0.5, 2]),
        ("relu", [0, 0, 0.5, 2]),
        ("clamp", [-1, -0.5, 0.5, 1]),
        ("unit_clamp", [0, 0, 0.5, 1]),
    ],
)
def test_segments(function, wanted):
    found = evaluate(function, np.array([-2, -0.5, 0.5, 2], np.float32))
    np.testing.assert_array_equal(found, np.array(wanted, np.float32))
