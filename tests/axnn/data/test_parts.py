"""Splits keep every sample once and every class's share; the bundled digits are what UCI says."""

import numpy as np
import pytest

from axnn import data
from axnn.data import (
    Classes,
    DataSet,
    Encoding,
    Split,
    stratified_parts,
    stratified_split,
)
from axnn.errors import DataError
from qcnpe.spec.errors import QcnpeError

# Samples of each digit in the test part of the UCI set, from its documentation (optdigits.names).
UCI_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def numbered(labels: np.ndarray) -> np.ndarray:
    """Inputs that tell which sample they are, in 1/4096."""
    return np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1) / 4096


def numbers(split: Split) -> np.ndarray:
    """Which samples a split holds, in its order."""
    return (split.inputs.ravel() * 4096).astype(int)


@pytest.mark.parametrize("seed", range(3))
def test_every_sample_is_in_exactly_one_part_with_its_label(seed):
    labels = np.random.default_rng(seed).integers(0, 4, 97)
    parts = stratified_split(numbered(labels), labels, (0.2, 0.3), seed=seed)
    indices = np.concatenate([numbers(part) for part in parts])
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
        return list(numbers(stratified_split(numbered(labels), labels, (0.5,), seed=seed)[0]))

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize("fractions", [(0.0,), (-0.1,), (0.5, 0.5)])
def test_impossible_fractions_are_refused(fractions):
    labels = np.arange(10) % 2
    with pytest.raises(DataError, match="fractions must be positive and add up to less than 1"):
        stratified_split(numbered(labels), labels, fractions, seed=0)


def test_sorted_samples_do_not_stay_sorted():
    """Of every part, the first tenth has samples of all classes and of all places in the file."""
    labels = np.repeat(np.arange(4), 500)
    for part in stratified_split(numbered(labels), labels, (0.3, 0.3), seed=1):
        first = slice(len(part) // 10)
        assert (np.bincount(part.labels[first], minlength=4) > len(part) // 80).all()
        assert np.ptp(numbers(part)[first]) > 1500


def test_splitting_needs_a_label_for_each_sample():
    with pytest.raises(DataError, match="360 samples cannot have 100 labels"):
        stratified_split(np.zeros((360, 1, 1, 1), np.float32), np.arange(100) % 2, (0.5,), seed=0)
    with pytest.raises(DataError, match="2 samples are too few for parts of"):
        stratified_parts(["a", "b"], (0.3, 0.3), seed=0)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((2, 1, 1, 1), np.float32), np.zeros(3, np.int64), r"each, not \(2, .*\(3,\)"),
        (np.zeros((2, 4), np.float32), np.zeros(2, np.int64), r"height, width\) .*not \(2, 4\)"),
        (np.zeros((0, 1, 1, 1), np.float32), np.zeros(0, np.int64), "needs samples, not"),
        (
            np.zeros((2, 1, 1, 1), np.uint8),
            np.zeros(2, np.int64),
            "inputs, not uint8; DataSet",
        ),
        (np.zeros((2, 1, 1, 1)), np.zeros(2, np.int64), "float32 inputs, not float64; DataSet"),
        (
            np.zeros((2, 1, 1, 1), np.float32),
            np.zeros(2),
            "be int64, not float64; DataSet",
        ),
        (
            np.zeros((2, 1, 1, 1), np.float32),
            np.array(["a", "b"]),
            "be int64, not <U1; ",
        ),
        (np.zeros((2, 1, 1, 1), np.float32), np.array([0, -1]), "from 0, not -1 as of sample 1"),
        (np.full((2, 1, 1, 1), 16, np.float32), np.zeros(2, np.int64), "sample 0 holds 16 at"),
        (np.full((2, 1, 1, 1), np.nan, np.float32), np.zeros(2, np.int64), "holds nan at"),
    ],
)
def test_what_a_network_cannot_read_is_no_split(inputs, labels, message):
    with pytest.raises(QcnpeError, match=message):
        Split(inputs, labels)


def make_split(shape: tuple[int, ...] = (1, 2, 2), labels: tuple[int, ...] = (0, 1, 2)) -> Split:
    return Split(np.zeros((len(labels), *shape), np.float32), np.array(labels))


def test_parts_of_a_set_must_fit_each_other():
    three, good = Classes.numbered(3), make_split()
    with pytest.raises(DataError, match=r"x, test part: samples are \(1, 4, 1\), those of the tr"):
        DataSet(name="x", classes=three, train=good, validation=good, test=make_split((1, 4, 1)))
    with pytest.raises(DataError, match="x, validation part: sample 1 is of class 3, but there"):
        DataSet(
            name="x",
            classes=three,
            train=good,
            validation=make_split(labels=(0, 3)),
            test=good,
        )


def test_draw_of_a_split_comes_from_everywhere_and_keeps_labels():
    labels = np.arange(1000) % 7
    drawn = Split(numbered(labels), labels).draw(50, seed=2)
    assert len(set(numbers(drawn))) == 50
    assert numbers(drawn).max() > 800
    np.testing.assert_array_equal(drawn.labels, numbers(drawn) % 7)
    assert len(drawn.draw(None, seed=0)) == len(drawn.draw(51, seed=0)) == 50


def test_arrays_as_measured_become_a_set():
    """Columns of any unit, names for classes: what is learnt is learnt on the training part."""
    rows = np.array([[10, 1000.0], [20, 3000.0], [15, 2000.0]])
    words = ["no", "yes", "no"]
    later = (np.array([[25, 500.0]]), ["yes"])
    found = DataSet.from_arrays("table", train=(rows, words), validation=later, test=later)
    assert found.classes.names == ("no", "yes")
    assert found.train.labels.tolist() == [0, 1, 0]
    assert found.input_shape == (2, 1, 1)
    # Columns without zeros are centred; the training part reaches half of what is allowed.
    wanted = np.array([[-0.5, -0.5], [0.5, 0.5], [0, 0]])
    assert found.train.inputs[:, :, 0, 0] == pytest.approx(wanted)
    assert found.test.inputs[0, :, 0, 0] == pytest.approx([1.0, -0.75])
    assert found.encoding == Encoding(found.scaling, found.classes)
    moved = DataSet.from_arrays("table", train=(rows, words), validation=later, test=(rows, words))
    assert moved.scaling == found.scaling


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((np.array([[99.0, 1000]]), ["no"]), "table, test part: sample 0 holds 99 in channel 0"),
        ((np.array([[np.nan, 1000]]), ["no"]), "table, test part: sample 0 holds nan in channel 0"),
        ((np.array([[15.0, 1000, 0]]), ["no"]), r"must be \(samples, 2, ...\), not \(1, 3, 1, 1\)"),
        ((np.array([["x", "y"]]), ["no"]), "integers or floating-point numbers, not <U1"),
        ((np.array([15.0, 1000]), ["no"]), r"table, test part: inputs must be \(samples, columns"),
        ((np.zeros((0, 2)), []), r"table, test part: inputs must be .*, not \(0, 2, 1, 1\)"),
        ((np.array([[15.0, 1000]]), ["maybe"]), "table, test part: sample 0 is labelled 'maybe'"),
        ((np.array([[15.0, 1000]]), [1.0]), "labels must be integers or strings, not float64"),
        ((np.array([[15.0, 1000]]), ["no", "no"]), r"a label for each, not \(1, 2, 1, 1\) and"),
    ],
)
def test_what_the_training_part_does_not_know_is_refused(part, message):
    rows, words = np.array([[10, 1000.0], [20, 3000.0]]), ["no", "yes"]
    with pytest.raises(QcnpeError, match=message):
        DataSet.from_arrays("table", train=(rows, words), validation=(rows, words), test=part)


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
