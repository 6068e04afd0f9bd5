"""Tables of line segments against the theory of linear interpolation, and against fractions."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.activation import (
    CURVES,
    FUNCTION_NAMES,
    Function,
    activate,
    evaluate_table,
    function_code,
    table_knots,
)
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from tests.qcnpe import exact

SEGMENTS = (8, 16, 32, 64, 128, 256)
ALL_INPUTS = np.arange(-32768, 32768)
# Range of the input and largest second derivative, by hand: |tanh''| at tanh(x)**2 = 1/3, and
# sigmoid(x) = (1 + tanh(x / 2)) / 2.
SHAPES: dict[str, tuple[float, float, Callable[..., Any]]] = {
    "tanh": (8.0, 4 / (3 * sqrt(3)), np.tanh),
    "sigmoid": (16.0, 1 / (6 * sqrt(3)), lambda x: (1 + np.tanh(x / 2)) / 2),
}
KNOTS = st.sampled_from(SEGMENTS).flatmap(
    lambda n: st.lists(st.integers(*exact.bounds(16)), min_size=n + 1, max_size=n + 1)
)


def test_every_curve_has_its_shape_here():
    assert set(SHAPES) == set(CURVES)
    assert ("identity", "relu", *CURVES) == FUNCTION_NAMES


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_table_error_is_within_theory(name, segments):
    """Segments of width h that leave the curve on both sides: h**2/16 times max |f''|.

    The curvature changes along a segment and the knots sit at half of it: third-order terms come
    on top, at most h**3/16 times max |f'''|, which is 2 for tanh. Knots and results are rounded.
    """
    span, curvature, curve = SHAPES[name]
    width = span / segments
    bound = width**2 / 16 * curvature + width**3 / 16 * 2 * (8 / span) ** 3
    found = evaluate_table(ALL_INPUTS, table_knots(name, segments))
    error = np.abs(found / 2**15 - curve(ALL_INPUTS * span / 2**16))
    assert error.max() <= bound + 1.5 / 2**15


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_moved_knots_halve_the_error_of_knots_on_the_curve(name):
    span, curvature, curve = SHAPES[name]
    found = evaluate_table(ALL_INPUTS, table_knots(name, 32)) / 2**15
    worst = np.abs(found - curve(ALL_INPUTS * span / 2**16)).max()
    assert worst < 0.7 * (span / 32) ** 2 / 8 * curvature


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_knots_are_16_bit_rise_and_fit_every_engine(name, segments):
    knots = table_knots(name, segments)
    EngineConfig(table_segments=segments)
    assert knots.dtype == np.int16
    assert knots.shape == (segments + 1,)
    assert (np.diff(knots.astype(int)) >= 0).all()


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_curve_that_says_so_is_never_negative(name, segments):
    lowest = evaluate_table(ALL_INPUTS, table_knots(name, segments)).min()
    assert (lowest >= 0) == CURVES[name].non_negative


@given(KNOTS, st.integers(*exact.bounds(16)))
def test_evaluate_table_lies_on_the_segments(knots, z):
    assert evaluate_table(z, knots) == exact.on_segments(knots, z)


@given(KNOTS)
def test_evaluate_table_at_knots_and_ends(knots):
    width = 2**16 // (len(knots) - 1)
    at_knots = evaluate_table(np.arange(-32768, 32768, width), knots)
    assert at_knots.tolist() == knots[:-1]
    assert evaluate_table(32767, knots) == exact.on_segments(knots, 32767)


def test_evaluate_table_needs_no_saturation():
    knots = [32767, -32768] * 4 + [32767]
    found = evaluate_table(ALL_INPUTS, knots)
    assert (found.min(), found.max()) == (-32768, 32767)


@pytest.mark.parametrize(
    ("function", "values"),
    [(Function.IDENTITY, [-32768, -1, 0, 32767]), (Function.RELU, [0, 0, 0, 32767])],
)
def test_functions_without_a_table(function, values):
    assert activate([-32768, -1, 0, 32767], function).tolist() == values


def test_table_function_needs_its_knots():
    with pytest.raises(ConfigError, match="needs a table: load its knots first"):
        activate([0], Function.TABLE)
    knots = table_knots("tanh", 8)
    assert activate([5], Function.TABLE, knots) == exact.on_segments(knots.tolist(), 5)


@pytest.mark.parametrize(
    ("name", "code"),
    [("identity", 0), ("relu", 1), ("tanh", 2), ("sigmoid", 2)],
)
def test_function_codes(name, code):
    assert function_code(name) == code


def test_unknown_function_is_refused():
    message = "must be one of identity, relu, tanh, sigmoid, not 'gelu'"
    with pytest.raises(ConfigError, match=message):
        function_code("gelu")
