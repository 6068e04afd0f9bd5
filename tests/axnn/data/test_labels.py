"""Classes: labels of any kind to numbers and back; what is no label is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axnn.data import Classes
from axnn.errors import DataError

LABELS = st.one_of(
    st.lists(st.integers(-5, 5), min_size=2), st.lists(st.sampled_from("abcde"), min_size=2)
)


@given(LABELS)
def test_labels_come_back(labels):
    if len(set(labels)) < 2:
        with pytest.raises(DataError, match="of at least two classes"):
            Classes.learn(labels)
        return
    classes = Classes.learn(labels)
    numbers = classes.encode(labels)
    assert list(classes.names) == sorted(set(labels))
    assert numbers.dtype == np.int64
    assert set(numbers.tolist()) == set(range(len(classes)))
    assert classes.decode(numbers) == labels


def test_order_of_the_outputs_is_kept():
    classes = Classes(("yes", "no"))
    assert classes.encode(np.array(["no", "yes", "no"])).tolist() == [1, 0, 1]
    assert classes.encode(np.array(["no"], object)).tolist() == [1]
    assert Classes.numbered(3).encode(np.array([2, 0], np.uint8)).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], "parts: sample 2 is labelled 3, which is not one of the classes 0, 1, 2"),
        ([-1, 0], "parts: sample 0 is labelled -1"),
        (["0"], "parts: sample 0 is labelled '0'"),
        ([0.0, 1.0], "integers or strings, not float64"),
        ([True], "integers or strings, not bool"),
        (np.array([1, 2**63 + 1], np.uint64), r"less than 2\*\*63, not 9223372036854775809"),
        ([[0, 1]], r"must be \(samples,\), not \(1, 2\)"),
        (np.array(["a", 1], object), "integers or strings, not object"),
    ],
)
def test_unknown_labels_are_named(labels, message):
    with pytest.raises(DataError, match=message):
        Classes.numbered(3).encode(labels, where="parts")


@pytest.mark.parametrize("names", [(), (0, "a"), (0.5, 1.5), (True, False)])
def test_names_are_all_integers_or_all_strings(names):
    with pytest.raises(DataError, match="all integers or all strings"):
        Classes(names)


def test_no_class_is_there_twice():
    with pytest.raises(DataError, match="differ from each other"):
        Classes((1, 1))


def test_many_classes_are_shortened_in_a_message():
    with pytest.raises(DataError, match=r"not one of the classes 0, 1, 2, 3, 4 \.\.\.$"):
        Classes.numbered(1000).encode([1000])
