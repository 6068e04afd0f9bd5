"""The task of a network: the loss that it is trained on, and the quality that is to be kept."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.errors import DataError

_NEGLIGIBLE = np.float32(1e-12)
"""Probabilities below this have no part in the gradient: float32 sums do not see them, but their
products with other small numbers are subnormal, and arithmetic on those takes ten times longer."""

PLAIN, BALANCED = "accuracy", "balanced accuracy"
"""Names of the quality: every sample counts the same, or every class."""


def cross_entropy(
    logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Softmax cross-entropy of each sample.

    Parameters
    ----------
    logits : (classes, batch)
    labels : (batch,) class indices

    Returns
    -------
    losses (batch,) in nats, and their gradients (classes, batch) by the logits.
    """
    samples = np.arange(len(labels))
    shifted = logits - logits.max(axis=0)
    gradient = np.exp(shifted)
    total = gradient.sum(axis=0)
    losses = np.log(total) - shifted[labels, samples]
    gradient /= total
    gradient[gradient < _NEGLIGIBLE] = 0
    gradient[labels, samples] -= 1
    return losses, gradient


@dataclass(frozen=True)
class Classification:
    """Samples are of one class each; the largest logit is the answer.

    Attributes
    ----------
    weights : what a sample of each class counts, in the loss and in the quality; empty: all count 1
    """

    weights: tuple[float, ...] = ()

    @classmethod
    def balanced(cls, labels: ArrayLike) -> "Classification":
        """Every class counts the same, however many of these samples (of training) it has.

        Raises
        ------
        DataError
            If a class has no sample.
        """
        counts = np.bincount(np.asarray(labels))
        if not counts.all():
            raise DataError(
                f"class {int(np.argmin(counts))} has no sample, so that it has no weight"
            )
        return cls(tuple((counts.sum() / (len(counts) * counts)).tolist()))

    @property
    def quality_name(self) -> str:
        """Name of the quality in reports."""
        return BALANCED if self.weights else PLAIN

    def losses(
        self, logits: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weighted `cross_entropy` of each sample, and its gradient by the logits."""
        losses, gradient = cross_entropy(logits, labels)
        if not self.weights:
            return losses, gradient
        weights = np.array(self.weights, np.float32)[labels]
        return losses * weights, gradient * weights

    def quality(self, logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
        """Share of the samples, by their weights, whose largest logit is that of their class.

        Parameters
        ----------
        logits : (samples, classes) of any type
        labels : (samples,) class indices
        """
        right = logits.argmax(axis=1) == labels
        if not self.weights:
            return float(np.mean(right))
        return float(np.average(right, weights=np.array(self.weights)[labels]))
