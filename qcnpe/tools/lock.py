"""One command at a time writes to a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from qcnpe.spec.errors import BusyError


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which is made if it is not there, to the end of the block.

    Raises
    ------
    BusyError
        If another process, or thread, holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
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
