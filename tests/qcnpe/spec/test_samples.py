"""Quantised samples: their checks, their file, draws of them, and the check of their network."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.samples import Samples
from tests.damage import resave
from tests.qcnpe.networks import dense_layer, network

INPUTS = np.arange(-3, 3, dtype=np.int16).reshape(2, 3)


def test_load_gives_what_was_saved(tmp_path):
    Samples(INPUTS, np.array([4, 0])).save(tmp_path / "s.npz")
    found = Samples.load(tmp_path / "s.npz")
    np.testing.assert_array_equal(found.inputs, INPUTS)
    np.testing.assert_array_equal(found.labels, [4, 0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"inputs": INPUTS.astype(np.int32)},
            r"array inputs must be int16 \(any, any\), not int32",
        ),
        ({"inputs": INPUTS[0]}, r"array inputs must be int16 \(any, any\)"),
        ({"labels": np.array([1])}, "samples must be int16"),
        ({"labels": np.array([1, -1])}, "array labels has values outside 0"),
        ({"more": INPUTS}, "holds 'more.npy'"),
    ],
)
def test_files_that_hold_something_else(tmp_path, arrays, message):
    path = tmp_path / "s.npz"
    Samples(INPUTS, np.array([4, 0])).save(path)
    resave(path, lambda _, found: found.update(arrays))
    with pytest.raises(FormatError, match=message) as caught:
        Samples.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def numbered(count: int) -> Samples:
    """Samples that tell their number; labels of three classes."""
    inputs = np.repeat(np.arange(count, dtype=np.int16)[:, None], 4, axis=1)
    return Samples(inputs, np.arange(count) % 3)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((2, 4), np.int32), np.zeros(2, np.int64), r"not int32 \(2, 4\), int64 \(2,\)"),
        (np.zeros((2, 4), np.int16), np.zeros(2), r"not int16 \(2, 4\), float64 \(2,\)"),
        (np.zeros((2, 4), np.int16), np.zeros(3, np.int64), r"int64 \(3,\)"),
        (np.zeros((0, 4), np.int16), np.zeros(0, np.int64), "at least one"),
        (np.zeros((2, 4), np.int16), np.array([0, -1]), "labels 0 or more"),
    ],
)
def test_what_is_no_set_of_samples_is_refused(inputs, labels, message):
    with pytest.raises(FormatError, match=message):
        Samples(inputs, labels)


def test_draw_takes_inputs_with_their_labels_from_everywhere():
    drawn = numbered(100).draw(30, seed=1)
    numbers = drawn.inputs[:, 0]
    assert len(set(numbers.tolist())) == 30
    assert numbers.max() > 50
    np.testing.assert_array_equal(drawn.labels, numbers % 3)
    assert len(numbered(5).draw(None, seed=1).inputs) == 5


def test_samples_without_labels_round_trip(tmp_path):
    plain = replace(numbered(9), labels=None)
    plain.save(tmp_path / "x.npz")
    found = Samples.load(tmp_path / "x.npz").draw(4, seed=1)
    assert (found.labels, len(found.inputs)) == (None, 4)
    assert found.accuracy(np.zeros((4, 3))) is None
    assert numbered(6).accuracy(np.eye(3)[[0, 1, 2, 0, 0, 0]]) == pytest.approx(4 / 6)


def test_samples_that_a_network_may_have_been_fitted_to_are_refused(tmp_path):
    net = replace(network(dense_layer(4, 3)), fitted_to="a")
    replace(numbered(5), fitted_to="b").save(tmp_path / "s.npz")
    found = Samples.load(tmp_path / "s.npz")
    for samples in (found, found.draw(2, seed=1)):
        with pytest.raises(InputError, match="network net was fitted to other data than the split"):
            samples.check(net)
    for fitted_to in ("a", None):
        replace(found, fitted_to=fitted_to).check(net)
    found.check(replace(net, fitted_to=None))


def test_samples_of_an_earlier_version_are_read(tmp_path):
    numbered(5).save(tmp_path / "s.npz")
    resave(tmp_path / "s.npz", lambda header, _: header.pop("fitted_to"))
    assert Samples.load(tmp_path / "s.npz").fitted_to is None


def test_samples_of_another_application_are_refused():
    numbered(5).check(network(dense_layer(4, 3)))
    with pytest.raises(InputError, match=r"network net reads \(batch, 5\) inputs, not \(5, 4\)"):
        numbered(5).check(network(dense_layer(5, 3)))
    with pytest.raises(InputError, match="network net has 2 classes, but sample 2 is of class 2"):
        numbered(5).check(network(dense_layer(4, 2)))
