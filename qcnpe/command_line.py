"""What all commands share: an error is one line, and Ctrl-C and SIGTERM end a command cleanly."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from qcnpe.spec.errors import ConfigError, QcnpeError, one_line
from qcnpe.spec.text import printable
from qcnpe.tools.extras import explain
from qcnpe.tools.stop import Stopped, stops_on_signals

_NUMBER = re.compile("-?[0-9]{1,9}")
_SHOWN = 60
"""Characters of a bad value that a message shows."""


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
    words = [word.strip() for word in text.split(",")]
    if not all(_NUMBER.fullmatch(word) for word in words):
        raise ConfigError(f"{name} must be numbers like 16,8,4,2, not {text[:_SHOWN] or 'empty'}")
    return tuple(map(int, words))


def say(name: str, message: str) -> None:
    """Print one line on stderr, as that of the command."""
    print(f"{name}: {printable(message)}", file=sys.stderr)


def _fail(name: str, message: str, status: int) -> None:
    say(name, message)
    sys.exit(status)
