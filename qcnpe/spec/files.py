"""Whole files: read within a limit, replaced only when their content is safely on the disk."""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from qcnpe.spec.errors import FormatError

_TOKEN_BYTES = 8
_TEMPORARY = "." + "[0-9a-f]" * 2 * _TOKEN_BYTES + ".part"
"""Names of the temporary files, as `Path.glob` matches them."""


def replace_file(path: Path, fill: Callable[[Path], None], *, executable: bool = False) -> None:
    """Let `fill(temporary_path)` write a new file, then rename it to `path`.

    The temporary file is in the same folder and has the mode that the user's umask allows. Its
    content, then its new name, are on the disk before this function returns: after a power failure
    `path` is either the earlier file or the new one, complete. If `fill` fails, the earlier file
    stays.

    Parameters
    ----------
    path : the file to write; missing folders are made
    fill : writes the content to the path that it is given, which exists and is empty
    executable : whether the file is a program
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{secrets.token_hex(_TOKEN_BYTES)}.part"
    mode = 0o777 if executable else 0o666
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        fill(temporary)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a full disk names no file
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove files that killed processes have left; no other process may write to the folder."""
    for temporary in folder.glob(_TEMPORARY):
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise  # else a file system, such as one over a network, that cannot flush folders
    finally:
        os.close(handle)


def replace_bytes(path: Path, content: bytes) -> bool:
    """Write a file unless it has the same content already; returns whether it was written."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False

    def fill(temporary: Path) -> None:
        temporary.write_bytes(content)

    replace_file(path, fill)
    return True


def replace_text(path: Path, text: str) -> bool:
    """Write a UTF-8 file unless it has the same text already; returns whether it was written."""
    return replace_bytes(path, text.encode())


def checked_size(path: Path, limit_bytes: int) -> int:
    """Size of a regular file in bytes.

    Raises
    ------
    FormatError
        If there is no such file, it is a folder or a device, or it is larger than the limit.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(
            f"{path}: no such file; check its path, or run the step that makes it"
        ) from None
    except ValueError as error:  # a NUL in the name
        raise FormatError(f"{path}: not a name of a file ({error})") from error
    if stat.S_ISDIR(status.st_mode):
        raise FormatError(f"{path}: is a folder; give a file")
    if not stat.S_ISREG(status.st_mode):
        raise FormatError(f"{path}: is not a regular file; give one")
    if status.st_size > limit_bytes:
        raise FormatError(f"{path}: has {status.st_size} bytes, more than {limit_bytes}")
    return status.st_size


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """Content of a regular file of at most `limit_bytes`; `FormatError` as `checked_size`."""
    size = checked_size(path, limit_bytes)
    with path.open("rb") as stream:
        content = stream.read(size + 1)  # a buffer of this size is allocated at once
    if len(content) > size:
        raise FormatError(f"{path}: has grown while it was read; try again")
    return content
