"""Classification: loss and quality with weights are scikit-learn's, and teach rare classes."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.utils.class_weight import compute_class_weight

from axnn.data import Classification, Split
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
    with pytest.raises(DataError, match="a sample of class 1, but its task has only 1 weights"):
        Split(inputs, np.array([0, 1, 1]), Classification((2.0,)))
