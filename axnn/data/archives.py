"""Members of archives, read into memory one by one; nothing is unpacked to disk, nothing is run.

A member's size is compared with a limit before it is read, so that a damaged or hostile archive
cannot exhaust the memory.
"""

import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from axnn.errors import DataError

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60

MEMBER_LIMIT_BYTES = 256 << 20
"""Largest member that is read."""

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
)


def read_members(path: Path, pattern: str) -> dict[str, bytes]:
    """Contents of a file's members by their last name, those that end in .gz expanded.

    Parameters
    ----------
    path : an archive (.zip, .whl, .tgz, .tar.gz, .deb), or a plain file, which is its only member
    pattern : regular expression that the whole name of a member must match, without its .gz

    Raises
    ------
    DataError
        If the archive is damaged, or a member is too large.
    """
    found = {}
    try:
        for name, stream, size in _members(path):
            plain = name.removesuffix(".gz")
            if re.fullmatch(pattern, plain):
                if size > MEMBER_LIMIT_BYTES:
                    raise DataError(f"{path.name}: member {name} has {size} bytes, too many")
                content = stream.read()
                found[plain] = content if plain == name else _expand(content, path.name)
    except _DAMAGE as error:
        raise DataError(f"{path.name}: damaged archive ({error})") from error
    return found


def _members(path: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    """Name, stream and size of each regular member, in order."""
    if path.name.endswith((".zip", ".whl")):
        yield from _zip_members(path)
    elif path.name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(path, "r:gz") as archive:
            yield from _tar_members(archive)
    elif path.name.endswith(".deb"):
        with tarfile.open(fileobj=io.BytesIO(_debian_data(path)), mode="r:*") as archive:
            yield from _tar_members(archive)
    else:
        with path.open("rb") as stream:
            yield path.name, stream, path.stat().st_size


def _zip_members(path: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as stream:
                    yield member.filename, stream, member.file_size


def _tar_members(archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes], int]]:
    for member in archive:
        stream = archive.extractfile(member) if member.isreg() else None
        if stream is not None:
            yield member.name, stream, member.size


def _debian_data(path: Path) -> bytes:
    """The tar file with a Debian package's files, out of the ar archive around it."""
    content = path.read_bytes()
    if not content.startswith(_AR_MAGIC):
        raise DataError(f"{path.name}: not a Debian package")
    start = len(_AR_MAGIC)
    while header := content[start : start + _AR_HEADER_BYTES]:
        size = int(header[48:58])
        start += _AR_HEADER_BYTES
        if header.startswith(b"data.tar"):
            return content[start : start + size]
        start += size + size % 2
    raise DataError(f"{path.name}: Debian package without files")


def _expand(content: bytes, where: str) -> bytes:
    with gzip.open(io.BytesIO(content)) as stream:
        expanded = stream.read(MEMBER_LIMIT_BYTES + 1)
    if len(expanded) > MEMBER_LIMIT_BYTES:
        raise DataError(f"{where}: expands to more than {MEMBER_LIMIT_BYTES} bytes")
    return expanded
