"""Typed errors of training and approximation; every message says what to do about it."""

from qcnpe.spec.errors import QcnpeError


class DataError(QcnpeError):
    """A data set cannot be fetched, or is not what it should be."""


class TrainingError(QcnpeError):
    """Training diverged, or was asked for something that it cannot do."""


class DivergenceError(TrainingError):
    """The loss of a training is no longer a number."""


class RunError(QcnpeError):
    """A run folder lacks what a step needs."""


class ForeignNetworkError(QcnpeError):
    """A network from another tool cannot be imported, or differs from what that tool computes."""
