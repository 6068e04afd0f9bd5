"""Typed errors. Every message says what is wrong, where, and what to do about it."""

from qcnpe.spec.text import printable


class QcnpeError(Exception):
    """Base of all errors that a user can correct; a command prints only the message."""


class ConfigError(QcnpeError):
    """An engine parameter is out of its range."""


class FormatError(QcnpeError):
    """A file is damaged, foreign or of another version."""


class InputError(FormatError):
    """Samples are not of the type, the shape or the range that a network reads."""


class CapacityError(QcnpeError):
    """A network does not fit the engine: fan-in, accumulator, precision set."""


class VerificationError(QcnpeError):
    """A model in another format does not compute what its network does."""


class TransportError(QcnpeError):
    """The engine behind a transport did not answer as specified."""


class ToolError(QcnpeError):
    """An external program failed, took too long or is missing."""


class ToolMissingError(ToolError):
    """An external program, or what it needs, is not on this machine."""


class WorkerError(QcnpeError):
    """A process that took part in the work was killed."""


class BusyError(QcnpeError):
    """Another command writes to the same folder."""


_LONGEST = 1000
"""Largest number of characters in a message: a foreign file may have a value of any length."""


def one_line(error: Exception) -> str:
    """Printable text of an error in one line: what is wrong and what to do."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror}; choose another folder or correct that"
    else:
        text = str(error)
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
