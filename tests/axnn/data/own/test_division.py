"""Divisions: nothing is in two parts, classes keep their shares, groups stay together."""

import numpy as np
import pytest

from axnn.data.own.division import Labelled, divide, grouped_parts
from axnn.errors import DataError

NAMES = ("train", "validation", "test")


def test_every_sample_is_in_one_part_and_every_class_has_its_share():
    labels = np.repeat(["a", "b", "c"], [600, 300, 100])
    parts = divide(Labelled(labels), seed=4, where="x")
    assert sorted(np.concatenate([parts[name] for name in NAMES])) == list(range(1000))
    for name, share in zip(NAMES, (0.6, 0.2, 0.2), strict=True):
        counts = [np.count_nonzero(labels[parts[name]] == label) for label in "abc"]
        assert counts == pytest.approx([600 * share, 300 * share, 100 * share], abs=1)
    again, other = (divide(Labelled(labels), seed=seed, where="x") for seed in (4, 5))
    assert np.array_equal(parts["test"], again["test"])
    assert not np.array_equal(parts["test"], other["test"])


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_parts_and_classes_keep_about_their_shares(seed):
    rng = np.random.default_rng(seed)
    persons = rng.integers(0, 80, 2000)
    labels = (rng.random(2000) < 0.1 + 0.3 * (persons % 2)).astype(np.int64)
    parts = divide(Labelled(labels, persons), seed=seed, where="x")
    assert sorted(np.concatenate([parts[name] for name in NAMES])) == list(range(2000))
    groups = [set(persons[parts[name]].tolist()) for name in NAMES]
    assert sum(map(len, groups)) == len(set().union(*groups))
    for name, share in zip(NAMES, (0.6, 0.2, 0.2), strict=True):
        counts = np.bincount(labels[parts[name]], minlength=2)
        wanted = share * np.bincount(labels)
        assert (np.abs(counts - wanted) < 0.25 * wanted + 5).all()


def test_small_and_large_quantities_are_in_every_part():
    values = np.random.default_rng(3).exponential(size=500)
    parts = divide(Labelled(values), seed=1, where="x")
    assert sorted(np.concatenate([parts[name] for name in NAMES])) == list(range(500))
    fifth = np.quantile(values, 0.8)
    shares = [np.mean(values[parts[name]] > fifth) for name in NAMES]
    assert shares == pytest.approx([0.2] * 3, abs=0.015)


def test_as_many_groups_as_parts_leave_no_part_empty():
    parts = grouped_parts(np.zeros(30), np.repeat([1, 2, 3], 10), (0.2, 0.2), seed=0)
    assert [len(part) for part in parts] == [10, 10, 10]
    with pytest.raises(DataError, match="2 groups cannot be divided into 3 parts"):
        grouped_parts(np.zeros(4), np.array([1, 1, 2, 2]), (0.2, 0.2), seed=0)


def test_parts_of_the_file_are_kept_and_a_missing_validation_part_is_drawn():
    labels = np.arange(100) % 2
    given = np.array(["Train"] * 50 + ["val"] * 20 + ["TEST"] * 30)
    parts = divide(Labelled(labels, given=given), seed=1, where="x")
    assert [parts[name].tolist() for name in NAMES] == [
        list(range(50)),
        list(range(50, 70)),
        list(range(70, 100)),
    ]
    two = np.array(["train"] * 50 + ["test"] * 50)
    parts = divide(Labelled(labels, given=two), seed=1, where="x")
    assert [len(parts[name]) for name in NAMES] == [40, 10, 50]
    assert max(parts["train"].max(), parts["validation"].max()) < 50


@pytest.mark.parametrize(
    ("labels", "how", "message"),
    [
        ([1] * 20, {}, "x: all samples have the label 1; there must be at least two"),
        ([1] * 20 + [2] * 2, {}, r"1 of 2 classes have less than 3 samples \(2\)"),
        ([1, 2] * 10, {"given": ["train"] * 10 + ["rest"] * 10}, "train, validation and test, not"),
        ([1, 2] * 10, {"given": ["train"] * 20}, "its test part is empty"),
        ([1, 2] * 10, {"given": ["test"] * 20}, "its train part is empty"),
        ([1] * 10 + [2] * 10, {"given": ["train"] * 10 + ["test"] * 10}, "no sample of class 2"),
        ([1, 2] * 10, {"groups": [0] * 10 + [1] * 10}, "x: 2 groups cannot be divided"),
        (
            [1, 2] * 10,
            {"groups": [0] * 20, "given": ["train"] * 8 + ["val"] * 4 + ["test"] * 8},
            "group 0 is in the validation part and in another one",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused(labels, how, message):
    samples = Labelled(np.array(labels), **{name: np.array(value) for name, value in how.items()})
    with pytest.raises(DataError, match=message):
        divide(samples, seed=1, where="x")
