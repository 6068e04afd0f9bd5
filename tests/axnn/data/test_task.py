"""Tasks: losses and qualities are those of scikit-learn, gradients are their slopes."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    mean_squared_error,
    r2_score,
)
from sklearn.utils.class_weight import compute_class_weight

from axnn.data import Classification, Quantity, Regression, Split
from axnn.errors import DataError

RNG = np.random.default_rng(5)
LABELS = RNG.choice(4, 300, p=[0.7, 0.2, 0.07, 0.03])
LOGITS = RNG.normal(size=(300, 4)).astype(np.float32)


def test_balanced_weights_are_those_of_scikit_learn():
    wanted = compute_class_weight("balanced", classes=np.arange(4), y=LABELS)
    assert Classification.balanced(LABELS).weights == pytest.approx(wanted)
    with pytest.raises(DataError, match="class 1 has no sample"):
        Classification.balanced([0, 2])


def test_quality_is_that_of_scikit_learn():
    answers = LOGITS.argmax(axis=1)
    plain, balanced = Classification(), Classification.balanced(LABELS)
    assert plain.quality(LOGITS, LABELS) == pytest.approx(accuracy_score(LABELS, answers))
    wanted = balanced_accuracy_score(LABELS, answers)
    assert balanced.quality(LOGITS, LABELS) == pytest.approx(wanted)
    assert (plain.quality_name, balanced.quality_name) == ("accuracy", "balanced accuracy")


def test_balanced_accuracy_does_not_depend_on_where_the_weights_are_from():
    """A test part of its own may have other shares of the classes than the training part."""
    task = Classification.balanced(np.repeat([0, 1, 2, 3], [90, 8, 1, 1]))
    wanted = balanced_accuracy_score(LABELS, LOGITS.argmax(axis=1))
    assert task.quality(LOGITS, LABELS) == pytest.approx(wanted)
    some = LABELS != 3
    wanted = balanced_accuracy_score(LABELS[some], LOGITS[some].argmax(axis=1))
    assert task.quality(LOGITS[some], LABELS[some]) == pytest.approx(wanted)


@pytest.mark.parametrize("task", [Classification(), Classification.balanced(LABELS)])
def test_loss_is_that_of_scikit_learn_and_gradient_its_slope(task):
    weights = np.array(task.weights)[LABELS] if task.weights else np.ones(300)
    odds = np.exp(LOGITS.astype(np.float64))
    wanted = log_loss(LABELS, odds / odds.sum(axis=1, keepdims=True), sample_weight=weights)
    losses, gradient = task.losses(LOGITS.T, LABELS)
    assert losses.sum() / weights.sum() == pytest.approx(wanted, rel=1e-5)
    step = 1e-2
    for row in range(4):
        moved = LOGITS.T.copy()
        moved[row] += step
        up, _ = task.losses(moved, LABELS)
        moved[row] -= 2 * step
        down, _ = task.losses(moved, LABELS)
        np.testing.assert_allclose((up - down) / (2 * step), gradient[row], atol=2e-3)


def test_a_part_knows_its_task():
    inputs = np.zeros((3, 1, 1, 1), np.float32)
    plain = Split(inputs, np.array([0, 1, 1]))
    weighted = Split(inputs, np.array([0, 1, 1]), Classification((2.0, 1.0)))
    assert plain.digest != weighted.digest
    assert weighted.draw(2, seed=1).task == weighted.task
    with pytest.raises(DataError, match="there are only 1 weights, but a sample of class 1"):
        Split(inputs, np.array([0, 1, 1]), Classification((2.0,)))


def test_regression_is_as_scikit_learn_has_it():
    task, labels = Regression(), RNG.normal(size=200).astype(np.float32)
    outputs = (0.8 * labels + RNG.normal(0, 0.3, 200)).astype(np.float32)
    losses, gradient = task.losses(outputs[None], labels)
    assert losses.mean() == pytest.approx(mean_squared_error(labels, outputs), rel=1e-5)
    assert task.quality(outputs[:, None], labels) == pytest.approx(r2_score(labels, outputs))
    assert r2_score(labels, -outputs) < 0
    assert task.quality(-outputs[:, None], labels) == 0
    up, down = (task.losses(outputs[None] + step, labels)[0] for step in (0.01, -0.01))
    np.testing.assert_allclose((up - down) / 0.02, gradient[0], atol=1e-3)


def test_a_quantity_has_a_variance_of_one_and_comes_back():
    values = RNG.normal(1e5, 300, 1000)
    quantity = Quantity.learn(values)
    scaled = quantity.encode(values)
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-5)
    np.testing.assert_allclose(quantity.decode(scaled), values, rtol=1e-6)
    with pytest.raises(DataError, match="the target must vary, but is always 3 in training"):
        Quantity.learn(np.full(9, 3.0))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3), "labels must be float32, not float64"),
        (np.array([0, np.nan, 1], np.float32), "labels must be finite"),
    ],
)
def test_what_is_no_quantity_is_refused(labels, message):
    with pytest.raises(DataError, match=message):
        Split(np.zeros((3, 1, 1, 1), np.float32), labels, Regression())
