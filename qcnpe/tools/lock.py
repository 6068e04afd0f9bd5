"""One command at a time writes to a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from qcnpe.spec.errors import BusyError

LOCK = ".lock"
"""The lock's empty file, which stays in the folder; the lock itself is the operating system's."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which is made if it is not there, to the end of the block.

    Raises
    ------
    BusyError
        If another process, or thread, holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Without fallback: a lock that is a mere file would stay behind after a kill.
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
