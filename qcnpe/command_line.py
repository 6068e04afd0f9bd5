"""What all commands share: an error is one line, and Ctrl-C and SIGTERM end a command cleanly."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from qcnpe.spec.errors import ConfigError, QcnpeError, one_line
from qcnpe.spec.text import printable
from qcnpe.tools.extras import explain
from qcnpe.tools.stop import Stopped, stops_on_signals


@contextmanager
def command(name: str) -> Iterator[None]:
    """Run a command in the block.

    An error that a user can correct is one line on stderr and status 1. A command that a signal
    ends prints one line, too, and has the status that shells use for the signal.

    Parameters
    ----------
    name : of the command, which begins the line
    """
    try:
        with stops_on_signals():
            yield
    except (QcnpeError, OSError) as error:
        _fail(name, one_line(error), 1)
    except ModuleNotFoundError as error:
        remedy = explain(error.name or "")
        if remedy is None:
            raise
        _fail(name, remedy, 1)
    except Stopped as stopped:
        _fail(name, "stopped; run again to continue", stopped.status)


def parse_numbers(name: str, text: str) -> tuple[int, ...]:
    """The value of an option that is a list of numbers, such as 16,8,4,2.

    Parameters
    ----------
    name : of the option, for the message
    text : the value

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"{name} must be numbers like 16,8,4,2, not {text}") from None


def say(name: str, message: str) -> None:
    """Print one line on stderr, as that of the command."""
    print(f"{name}: {printable(message)}", file=sys.stderr)


def _fail(name: str, message: str, status: int) -> None:
    say(name, message)
    sys.exit(status)
