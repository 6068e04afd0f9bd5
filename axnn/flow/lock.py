"""One command at a time writes a run folder, and notices when the folder is deleted meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from axnn.errors import RunError
from qcnpe.spec.files import remove_temporaries
from qcnpe.tools.lock import LOCK, only_writer

Check = Callable[[], None]

_HELD: ContextVar[Mapping[Path, Check]] = ContextVar("held")
"""The folders that this thread has locked. A command of several steps locks its folder, and each
step locks it once more."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[Check]:
    """Keep other commands from writing to a folder, which is made if it is missing.

    Yields
    ------
    a function that raises `RunError` once the folder has been deleted or replaced; the end of the
    context calls it, too.

    Raises
    ------
    BusyError
        If another process, or thread, holds the folder.
    """
    held = _HELD.get({})
    place = folder.resolve()
    if place in held:
        yield held[place]
        return
    with only_writer(folder):
        check = _presence(folder)
        remove_temporaries(folder)
        token = _HELD.set({**held, place: check})
        try:
            yield check
        finally:
            _HELD.reset(token)
        check()


def _presence(folder: Path) -> Check:
    """A check that raises `RunError` once the folder is no longer the one that it is now."""
    now = _identity(folder / LOCK)

    def check() -> None:
        if now is None or _identity(folder / LOCK) != now:
            raise RunError(f"{folder}: was deleted while a command was writing here; run it again")

    return check


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, which tell a file from another one of the same name."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
