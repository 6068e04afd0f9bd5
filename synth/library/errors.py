"""Typed errors of the cell library; every message names the remedy."""

from qcnpe.spec.errors import QcnpeError


class LibraryError(QcnpeError):
    """Base class of every error that the cell library raises."""


class ModelFileError(LibraryError):
    """The transistor models cannot be fetched, or are not the expected ones."""


class CellDesignError(LibraryError):
    """A cell's description contradicts itself (function against transistors, unknown net)."""


class SimulationError(LibraryError):
    """A circuit simulation failed or its waveforms miss an expected edge."""
