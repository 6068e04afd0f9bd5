"""Typed errors of synthesis; every message ends with what to do."""

from qcnpe.spec.errors import QcnpeError


class LibertyError(QcnpeError):
    """A Liberty file is missing, does not parse or lacks cells that every netlist needs."""


class SynthesisError(QcnpeError):
    """A unit could not be synthesised, timed or simulated."""
