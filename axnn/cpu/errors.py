"""Typed errors of prediction."""

from qcnpe.spec.errors import QcnpeError


class InputError(QcnpeError):
    """Samples cannot be classified as they are: another shape or type, or not finite."""
