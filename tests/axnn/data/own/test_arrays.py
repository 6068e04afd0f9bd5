"""Arrays: what numpy and Keras save is read, whatever else is refused in one line."""

import numpy as np
import pytest

from axnn.data import DataSet
from axnn.data.own import source as limits
from axnn.data.own.arrays import read_arrays
from qcnpe.spec.errors import QcnpeError

RNG = np.random.default_rng(7)
COLUMNS = RNG.normal(5, 2, (60, 4))
WORDS = np.array(["cat", "dog", "owl"])[np.arange(60) % 3]
BYTES = RNG.integers(0, 256, (60, 6, 5), np.uint8)


@pytest.fixture
def save(tmp_path):
    """Save arrays; gives the path."""

    def save_arrays(writer=np.savez_compressed, **arrays):
        writer(tmp_path / "own.npz", **arrays)
        return tmp_path / "own.npz"

    return save_arrays


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("names", [("inputs", "labels"), ("x", "y"), ("X", "y")])
def test_columns_with_labels_are_split_and_scaled(save, writer, names):
    samples = DataSet.read(save(writer, **dict(zip(names, (COLUMNS, WORDS), strict=True))), seed=3)
    assert samples.classes.names == ("cat", "dog", "owl")
    assert [len(part) for part in (samples.train, samples.validation, samples.test)] == [36, 12, 12]
    offset, span = (np.array(values) for values in (samples.scaling.offset, samples.scaling.span))
    parts = (samples.train, samples.validation, samples.test)
    found = np.concatenate([part.inputs[:, :, 0, 0] for part in parts]) * span + offset
    rows = {tuple(row) for row in np.round(COLUMNS, 4).tolist()}
    assert {tuple(row) for row in np.round(found, 4).tolist()} == rows


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (BYTES, (1, 6, 5)),
        (BYTES[:, None], (1, 6, 5)),
        (BYTES[..., None], (1, 6, 5)),
        (np.stack([BYTES] * 3, axis=1), (3, 6, 5)),
        (np.stack([BYTES] * 3, axis=3), (3, 6, 5)),
    ],
)
def test_pictures_are_told_by_their_channels(save, inputs, shape):
    found = read_arrays(save(inputs=inputs, labels=WORDS))
    np.testing.assert_array_equal(found.inputs, np.broadcast_to(BYTES[:, None], (60, *shape)))
    scaling = found.measure(np.arange(9)).scaling
    low, high = scaling.apply(np.array([[0] * shape[0], [255] * shape[0]]))
    assert (set(low), set(high)) == ({0.0 if shape[0] == 1 else -1.0}, {1.0})


def test_files_of_keras_keep_their_parts(save):
    path = save(x_train=BYTES[:40], y_train=WORDS[:40], x_test=BYTES[40:], y_test=WORDS[40:])
    samples = DataSet.read(path)
    assert [len(part) for part in (samples.train, samples.validation, samples.test)] == [32, 8, 20]
    test = samples.test.inputs[:, 0] * 255
    np.testing.assert_array_equal(np.round(test).astype(np.uint8), BYTES[40:])


def test_labels_of_one_column_are_labels(save):
    """Keras keeps the labels of CIFAR-10 as (samples, 1)."""
    numbers = np.arange(60) % 3
    flat, column = (DataSet.read(save(x=BYTES, y=labels)) for labels in (numbers, numbers[:, None]))
    assert column.classes == flat.classes
    np.testing.assert_array_equal(column.test.labels, flat.test.labels)


def test_groups_are_not_in_two_parts(save):
    groups = np.arange(60) // 6
    inputs = np.stack([groups, np.arange(60)], axis=1).astype(float)
    samples = DataSet.read(save(inputs=inputs, labels=WORDS, groups=groups))
    parts = (samples.train, samples.validation, samples.test)
    held = [set(part.inputs[:, 0, 0, 0].tolist()) for part in parts]
    assert len(set().union(*held)) == sum(map(len, held)) == 10


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.arange(60) % 2 == 0, ("False", "True")),
        (np.arange(60) % 3 * 2.0, (0, 2, 4)),
        ((np.arange(60) % 3).astype(np.float32) - 1, (-1, 0, 1)),
        ((np.arange(60) % 2).astype(np.uint8), (0, 1)),
    ],
)
def test_labels_of_other_types_keep_their_names(save, labels, names):
    assert DataSet.read(save(inputs=COLUMNS, labels=labels)).classes.names == names


def test_targets_are_a_quantity(save):
    values = COLUMNS.sum(axis=1) * 50
    samples = DataSet.read(save(inputs=COLUMNS, targets=values), seed=1)
    assert samples.task.quality_name == "R2"
    quantity = samples.quantity
    assert quantity is not None
    parts = (samples.train, samples.validation, samples.test)
    decoded = [quantity.decode(part.labels) for part in parts]
    np.testing.assert_allclose(np.sort(np.concatenate(decoded)), np.sort(values), rtol=1e-5)
    mean, deviation = decoded[0].mean(), decoded[0].std()
    assert (quantity.offset, quantity.span) == pytest.approx((mean, deviation))


def test_channels_that_teach_nothing_are_told(save):
    inputs = COLUMNS.copy()
    inputs[:, 2] = 3
    notes = DataSet.read(save(inputs=inputs, labels=WORDS)).notes
    assert notes[0].startswith("1 of 4 channels are constant in the training part")
    assert "such as channel 2" in notes[0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "holds no arrays"),
        ({"inputs": COLUMNS}, "has no array of labels"),
        ({"labels": WORDS}, "has no array of inputs"),
        ({"inputs": COLUMNS, "labels": WORDS, "mask": WORDS}, "holds an array 'mask'"),
        ({"inputs": COLUMNS, "x": COLUMNS, "labels": WORDS}, "holds two arrays of inputs"),
        ({"inputs": COLUMNS, "labels": WORDS[:9]}, r"inputs are \(60, 4\), where there are 9"),
        ({"inputs": COLUMNS, "labels": COLUMNS}, r"labels must be \(samples,\) integers or words"),
        ({"inputs": COLUMNS, "labels": COLUMNS[:, 0]}, "quantities are called targets.* float64"),
        ({"inputs": COLUMNS, "targets": WORDS}, r"targets must be \(samples,\) numbers"),
        ({"inputs": COLUMNS, "targets": np.full(60, np.inf)}, "targets must be finite numbers"),
        ({"inputs": COLUMNS, "targets": np.ones(60)}, "own.npz: the target must vary"),
        ({"inputs": COLUMNS, "targets": WORDS, "labels": WORDS}, "give either"),
        ({"inputs": WORDS, "labels": WORDS}, "inputs must be numbers"),
        ({"inputs": COLUMNS[0, 0], "labels": WORDS}, "inputs are "),
        ({"inputs": COLUMNS[:0], "labels": WORDS[:0]}, "has no samples"),
        (
            {"inputs": COLUMNS, "labels": WORDS.astype(object)},
            "'labels.npy': is of type '.O', not of plain numbers",
        ),
        ({"inputs": COLUMNS, "labels": WORDS.astype("S")}, "'labels.npy': is of type '.S"),
        ({"inputs": COLUMNS + 0j, "labels": WORDS}, "'inputs.npy': is of type '<c16', not"),
        (
            {"inputs": np.full((60, 4), np.nan), "labels": WORDS},
            "own.npz: .*channel 0 holds NaN or infinity",
        ),
        ({"inputs": COLUMNS, "labels": np.arange(60)}, "60 of 60 classes have less than 3"),
        ({"inputs": np.zeros((1100, 1)), "labels": np.arange(1100)}, "1,100 different labels"),
        ({"train_inputs": COLUMNS, "train_labels": WORDS}, "its test part is empty"),
        (
            {"inputs": COLUMNS, "labels": WORDS, "test_inputs": COLUMNS, "test_labels": WORDS},
            "holds samples with a part and without",
        ),
        (
            {"x_train": COLUMNS, "y_train": WORDS, "x_test": BYTES, "y_test": WORDS},
            "samples of the parts differ in shape",
        ),
        (
            {"x_train": COLUMNS, "y_train": WORDS, "x_test": COLUMNS, "y_test": np.arange(60)},
            "arrays of the parts differ in type",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(save, arrays, message):
    with pytest.raises(QcnpeError, match=message):
        DataSet.read(save(**arrays))


def test_more_values_than_there_is_room_for_are_refused(save, monkeypatch):
    monkeypatch.setattr(limits, "MAX_VALUES", 100)
    with pytest.raises(QcnpeError, match="60 samples of 4 values are more than 100 values in all"):
        DataSet.read(save(inputs=COLUMNS, labels=WORDS))
