"""The task of a network: the loss that it is trained on, and the quality that is to be kept."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.errors import DataError

_NEGLIGIBLE = np.float32(1e-12)
"""Probabilities below this have no part in the gradient: float32 sums do not see them, but their
products with other small numbers are subnormal, and arithmetic on those takes ten times longer."""

Labels = NDArray[Any]
"""What is to be answered for each sample (samples,): a class index (int64) or a quantity (float32),
as the task says."""


class Task(Protocol):
    """What a network is to make of samples."""

    @property
    def quality_name(self) -> str:
        """Name of the quality in reports."""
        ...

    @property
    def ignores_offset(self) -> bool:
        """Whether adding the same number to all outputs changes no answer and no loss."""
        ...

    def fault(self, labels: NDArray[Any]) -> str | None:
        """What is wrong with labels (samples,), if anything is."""
        ...

    def outputs_fault(self, labels: Labels, outputs: int) -> str | None:
        """Why a network with this many outputs cannot answer these labels, if it cannot."""
        ...

    def losses(
        self, outputs: NDArray[np.float32], labels: Labels
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Losses (batch,) of outputs (outputs, batch), and their gradients by the outputs."""
        ...

    def quality(self, outputs: NDArray[Any], labels: Labels) -> float:
        """How good outputs (samples, outputs) are, from 0 to 1."""
        ...


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
    weights : what a sample of each class counts in the loss; if there are any, every class counts
        the same in the quality. Empty: all samples count 1
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
        """Name of the quality in reports: every sample counts the same, or every class."""
        return "balanced accuracy" if self.weights else "accuracy"

    @property
    def ignores_offset(self) -> bool:
        """Softmax does."""
        return True

    def fault(self, labels: NDArray[Any]) -> str | None:
        """What is wrong with labels: they must be class indices, each with a weight."""
        if labels.dtype != np.int64:
            return f"labels must be int64, not {labels.dtype}"
        if labels.min() < 0:
            sample = int(np.argmin(labels))
            return f"labels are numbers from 0, not {labels[sample]} as of sample {sample}"
        if self.weights and labels.max() >= len(self.weights):
            return (
                f"there are only {len(self.weights)} weights, but a sample of class {labels.max()}"
            )
        return None

    def outputs_fault(self, labels: Labels, outputs: int) -> str | None:
        """Each class needs a logit."""
        if labels.max() < outputs:
            return None
        sample = int(np.argmax(labels))
        return f"sample {sample} is of class {labels[sample]}, but there are {outputs}, from 0"

    def losses(
        self, logits: NDArray[np.float32], labels: Labels
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weighted `cross_entropy` of each sample, and its gradient by the logits."""
        losses, gradient = cross_entropy(logits, labels)
        if not self.weights:
            return losses, gradient
        weights = np.array(self.weights, np.float32)[labels]
        return losses * weights, gradient * weights

    def quality(self, logits: NDArray[Any], labels: Labels) -> float:
        """Share of the samples whose largest logit is that of their class.

        With weights it is the mean of the shares of all classes that these labels hold: however
        many samples of each class there are here, or were where the weights are from.

        Parameters
        ----------
        logits : (samples, classes) of any type
        labels : (samples,) class indices
        """
        right = logits.argmax(axis=1) == labels
        if not self.weights:
            return float(np.mean(right))
        counts, hits = np.bincount(labels), np.bincount(labels, weights=right)
        return float(np.mean(hits[counts > 0] / counts[counts > 0]))


@dataclass(frozen=True)
class Agreement(Classification):
    """Samples without labels: the answers of the network in floating point take their place."""

    @property
    def quality_name(self) -> str:
        """Name of the quality in reports: with what the network agrees is said in it."""
        return "agreement with the network's own answers"


@dataclass(frozen=True)
class Regression:
    """Samples have a quantity each, scaled to a variance of 1; the one output is the answer."""

    @property
    def quality_name(self) -> str:
        """Name of the quality in reports: the coefficient of determination."""
        return "R2"

    @property
    def ignores_offset(self) -> bool:
        """Every change of the output changes the answer."""
        return False

    def fault(self, labels: NDArray[Any]) -> str | None:
        """What is wrong with labels: they must be finite numbers."""
        if labels.dtype != np.float32:
            return f"labels must be float32, not {labels.dtype}"
        if not np.isfinite(labels).all():
            return "labels must be finite"
        return None

    def outputs_fault(self, labels: Labels, outputs: int) -> str | None:
        """There is one quantity."""
        return None if outputs == 1 else f"there is one quantity, but there are {outputs} outputs"

    def losses(
        self, outputs: NDArray[np.float32], labels: Labels
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Squared error of each sample, and its gradient by the output."""
        errors = outputs - labels
        return np.square(errors[0]), 2 * errors

    def quality(self, outputs: NDArray[Any], labels: Labels) -> float:
        """Share of the labels' variance that the outputs explain (R2); 0 if they explain none."""
        known = labels.astype(np.float64)
        missed = np.square(known - outputs[:, 0]).sum()
        spread = np.square(known - known.mean()).sum()
        return max(0.0, 1 - float(missed / spread)) if spread else 0.0
