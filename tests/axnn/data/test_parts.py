"""Splits keep every sample once and every class's share; the bundled digits are what UCI says."""

import numpy as np
import pytest

from axnn import data
from axnn.data import Split, stratified_split
from axnn.errors import DataError

# Samples of each digit in the test part of the UCI set, from its documentation (optdigits.names).
UCI_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def numbered(labels: np.ndarray) -> np.ndarray:
    """Inputs that tell which sample they are."""
    return np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_every_sample_is_in_exactly_one_part_with_its_label(seed):
    labels = np.random.default_rng(seed).integers(0, 4, 97)
    parts = stratified_split(numbered(labels), labels, (0.2, 0.3), seed=seed)
    indices = np.concatenate([part.inputs.ravel() for part in parts]).astype(int)
    assert sorted(indices) == list(range(97))
    assert np.array_equal(np.concatenate([part.labels for part in parts]), labels[indices])
    assert [len(part) for part in parts] == [20, 30, 47]


def test_every_class_keeps_its_share_to_within_one_sample():
    labels = np.repeat([0, 1, 2], [100, 31, 7])
    first, _ = stratified_split(numbered(labels), labels, (0.25,), seed=5)
    shares = np.bincount(first.labels) - 0.25 * np.array([100, 31, 7])
    assert np.abs(shares).max() <= 1


def test_the_seed_decides_the_split():
    labels = np.arange(60) % 3

    def drawn(seed: int) -> list[float]:
        return list(stratified_split(numbered(labels), labels, (0.5,), seed=seed)[0].inputs.ravel())

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize("fractions", [(0.0,), (-0.1,), (0.5, 0.5)])
def test_impossible_fractions_are_refused(fractions):
    labels = np.arange(10) % 2
    with pytest.raises(DataError, match="fractions must be positive and add up to less than 1"):
        stratified_split(numbered(labels), labels, fractions, seed=0)


def test_inputs_and_labels_must_match():
    with pytest.raises(DataError, match=r"a label for each, not \(2, 1, 1, 1\) and \(3,\)"):
        Split(np.zeros((2, 1, 1, 1), np.float32), np.zeros(3, np.int64))


def test_bundled_digits_are_complete_and_in_range():
    digits = data.load("digits8x8", seed=1)
    parts = (digits.train, digits.validation, digits.test)
    assert [len(part) for part in parts] == [1077, 360, 360]
    assert list(np.bincount(np.concatenate([part.labels for part in parts]))) == UCI_COUNTS
    pixels = np.concatenate([part.inputs for part in parts])
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert np.array_equal(pixels * 16, np.round(pixels * 16))
    assert digits.input_shape == (1, 8, 8)


def test_digest_sees_training_and_validation_only():
    digits = data.load("digits8x8", seed=1)
    other = data.load("digits8x8", seed=2)
    assert digits.digest == data.load("digits8x8", seed=1).digest != other.digest


def test_unknown_set_is_named():
    with pytest.raises(DataError, match="data set must be one of digits8x8, mnist"):
        data.load("cats", seed=0)
