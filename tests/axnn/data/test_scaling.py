"""Scaling: affine, learnt on what it is fitted to, exact about what it refuses."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from axnn.data import Classes, Encoding, Scaling
from qcnpe.spec.errors import FormatError, InputError, QcnpeError


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e9, 1e9)))
def test_what_it_was_fitted_to_lies_within_half_the_limit(values):
    scaled = Scaling.fit(values).apply(values)
    assert scaled.dtype == np.float32
    assert np.abs(scaled).max() <= 0.5
    order = np.argsort(values, axis=0, kind="stable")
    assert (np.diff(np.take_along_axis(scaled, order, axis=0), axis=0) >= 0).all()


def test_bytes_keep_their_zeros_and_pictures_have_one_scale_a_channel():
    pictures = np.zeros((2, 2, 3, 3), np.uint8)
    pictures[0, 0, 1, 1], pictures[1, 1] = 255, 100
    scaled = Scaling.fit(pictures).apply(pictures)
    assert (scaled == 0).sum() == 36 - 1 - 9
    assert scaled[0, 0, 1, 1] == 0.5
    assert (scaled[1, 1] == 0.5).all()


def test_limits_beyond_the_largest_half_precision_number_are_counted():
    scaling = Scaling((0.0,), (70_000.0,))
    with np.errstate(all="raise"):
        assert scaling.count_beyond(np.full((3, 1), 60_000, np.float16)).tolist() == [0]
    assert scaling.count_beyond(np.full((3, 1), 80_000, np.float32)).tolist() == [3]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_same_numbers_of_another_type_are_the_same_inputs(dtype):
    known = np.arange(17).reshape(-1, 1)
    scaling = Scaling.fit(known)
    np.testing.assert_array_equal(scaling.apply(known.astype(dtype)), scaling.apply(known))
    np.testing.assert_array_equal(scaling.apply(known)[:, 0] * 32, np.arange(17))


def test_large_inputs_are_scaled_in_blocks_as_in_one_piece(monkeypatch):
    values = np.random.default_rng(0).normal(size=(37, 4, 2, 2))
    scaling = Scaling.fit(values)
    whole = scaling.apply(values)
    monkeypatch.setattr("axnn.data.scaling._BLOCK_VALUES", 50)
    np.testing.assert_array_equal(scaling.apply(values), whole)
    values[30, 2, 0, 1] = 1e4
    with pytest.raises(InputError, match="sample 30 holds 10000 in channel 2"):
        scaling.apply(values)


@given(arrays(np.float64, (400, 2), elements=st.floats(-100, 100)), st.floats(1e3, 1e12))
def test_tails_do_not_take_the_others_digits(values, far):
    """One value in 400 is in the tails of half a percent; it is clamped, and counted."""
    values[:, 0] = np.random.default_rng(1).permutation(400) / 4
    plain = Scaling.fit(values, tails=0.005)
    values[17, 0] = far
    scaling = Scaling.fit(values, tails=0.005)
    assert scaling.span[0] == pytest.approx(plain.span[0], rel=0.02)
    scaled = scaling.apply(values)
    assert scaled[17, 0] == 1
    assert np.abs(np.delete(scaled[:, 0], 17)).max() < 0.55
    assert scaling.count_beyond(values)[0] == 1
    for broken in (np.nan, np.inf, -np.inf):
        values[3, 1] = broken
        with pytest.raises(InputError, match=f"sample 3 holds {broken:g} in channel 1"):
            scaling.apply(values)


def test_a_channel_that_is_seldom_other_than_zero_is_not_all_tails():
    values = np.zeros((1000, 1))
    values[5] = 8
    scaling = Scaling.fit(values, tails=0.005)
    assert scaling.apply(values).max() == 0.5
    assert scaling.count_beyond(values).tolist() == [0]


def test_constant_channels_become_zero_and_stay_strict():
    scaling = Scaling.fit(np.array([[5.0, 0.0], [5.0, 0.0]]))
    np.testing.assert_array_equal(scaling.apply(np.array([[5.0, 0.0]])), [[0, 0]])
    with pytest.raises(InputError, match="sample 0 holds 16 in channel 0"):
        scaling.apply(np.array([[16.0, 0.0]]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1.0, np.nan]]), "must be finite: channel 1 holds NaN or infinity"),
        (np.array([[np.inf, 1.0]]), "must be finite: channel 0"),
        (np.array([[True]]), "integers or floating-point numbers, not bool"),
        (np.array([["a"]]), "not <U1"),
        (np.array([[1j]]), "not complex128"),
        (np.zeros((0, 2)), r"must be \(samples, channels, ...\), not \(0, 2\)"),
        (np.zeros(2), r"not \(2,\)"),
    ],
)
def test_nothing_is_learnt_from_what_are_no_measurements(values, message):
    with pytest.raises(InputError, match=message):
        Scaling.fit(values)


def test_identity_takes_real_numbers_as_they_are_and_nothing_else():
    values = np.array([[-1.0, 1.0, 0.25]])
    np.testing.assert_array_equal(Scaling.identity().apply(values), values.astype(np.float32))
    with pytest.raises(InputError, match=r"x: inputs must be floating-point .* not uint8"):
        Scaling.identity().apply(np.zeros((1, 2), np.uint8), where="x")
    with pytest.raises(InputError, match=r"x: inputs must lie in -1\.\.1"):
        Scaling.identity().apply(np.full((1, 2), 16.0), where="x")


def test_encoding_survives_json():
    values = np.random.default_rng(1).normal(3, 7, (20, 3))
    for names in ((3, 1, 7), ("b", "\u00e4")):
        encoding = Encoding(Scaling.fit(values), Classes(names))
        again = Encoding.from_document(json.loads(json.dumps(encoding.document())))
        assert again == encoding
    assert Encoding.from_document(Encoding.plain(2).document()) == Encoding.plain(2)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"scaling": {"offset": [], "span": []}},
        {"scaling": {"offset": [1.0], "span": []}, "classes": {"names": [0, 1]}},
        {"scaling": {"offset": [1.0], "span": [0.0]}, "classes": {"names": [0, 1]}},
        {"scaling": {"offset": [1.0], "span": ["2"]}, "classes": {"names": [0, 1]}},
        {"scaling": {"offset": [], "span": []}, "classes": {"names": [0, "1"]}},
        {"scaling": {"offset": [], "span": []}, "classes": {"names": [0, 0]}},
        {"scaling": {"offset": [], "span": []}, "classes": {"names": []}},
        {"scaling": {"offset": [], "span": []}, "classes": {"names": [0.5]}},
    ],
)
def test_what_is_no_encoding_is_refused(document):
    with pytest.raises(FormatError, match=r"^encoding: "):
        Encoding.from_document(document)


def test_errors_are_of_the_kind_that_a_command_prints():
    assert issubclass(InputError, QcnpeError)
