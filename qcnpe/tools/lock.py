"""A lock on a folder, so that only one command at a time writes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from qcnpe.spec.errors import BusyError

LOCK = ".lock"
"""An empty file that stays in the folder; the operating system holds the lock on it."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder until the end of the block; make the folder if it does not exist.

    Raises
    ------
    BusyError
        If another process, or thread, holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Without fallback: a lock that is only a file would remain after a kill.
    lock = FileLock(folder / LOCK, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            f"{folder}: another command is writing here; wait for its end or choose another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
