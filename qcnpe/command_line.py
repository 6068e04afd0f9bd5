"""What all commands share: errors are one line, Ctrl-C and SIGTERM end in order."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from qcnpe.spec.errors import QcnpeError, one_line
from qcnpe.spec.text import printable
from qcnpe.tools.extras import explain
from qcnpe.tools.stop import Stopped, stops_on_signals


@contextmanager
def command(name: str) -> Iterator[None]:
    """Run a command in the block.

    What a user can mend is one line on stderr and status 1; what a signal ends is one, too, and
    has the status that shells give it.

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


def say(name: str, message: str) -> None:
    """Print one line on stderr, as that of the command."""
    print(f"{name}: {printable(message)}", file=sys.stderr)


def _fail(name: str, message: str, status: int) -> None:
    say(name, message)
    sys.exit(status)
