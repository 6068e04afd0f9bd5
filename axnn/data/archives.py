"""Members of archives, read into memory one by one; nothing is unpacked to disk, nothing is run.

There are limits on the size of a member, on that of all members, on the bytes skipped between them,
and on their number. Sizes are checked before anything is read, and expanded bytes are counted, so
that a damaged or hostile archive takes bounded memory and time.
"""

import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol, cast

from axnn.errors import DataError
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import checked_size
from qcnpe.spec.zips import ZIP_DAMAGE, opened_zip, read_member

FILE_LIMIT_BYTES = 1 << 30
"""Largest archive."""

MEMBER_LIMIT_BYTES = 256 << 20
"""Largest member that is read."""

TOTAL_LIMIT_BYTES = 1 << 30
"""Most bytes that are expanded: of members that are read, and in tar files of all others, too."""

MEMBER_LIMIT = 50_000
"""Largest number of members of a tar file."""

_HEADERS_BYTES = 1 << 20
"""Bytes allowed for headers between two members of a tar file, such as a long name."""

_READ_BYTES = 1 << 20
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = re.compile(rb"(.{16}).{32}([0-9]{1,10}) *`\n", re.DOTALL)
_AR_HEADER_BYTES = 60

_DAMAGE = (*ZIP_DAMAGE, tarfile.TarError, OSError, lzma.LZMAError)


class Source(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes; none at the end."""
        ...


def read_members(path: Path, pattern: str) -> dict[str, bytes]:
    """Contents of a file's members by name; members whose name ends in .gz are expanded.

    Parameters
    ----------
    path : an archive (.zip, .whl, .tgz, .tar.gz, .deb), or a plain file, which is its only member
    pattern : regular expression that the whole name of a member, without .gz, must match

    Raises
    ------
    DataError
        If the archive is damaged, or something in it is too large.
    """
    wanted = re.compile(pattern)
    found: dict[str, bytes] = {}
    left = TOTAL_LIMIT_BYTES
    try:
        checked_size(path, FILE_LIMIT_BYTES)
        for name, content in _members(path, wanted):
            plain = name.removesuffix(".gz")
            if plain in found:
                raise DataError(f"{path.name}: two members are called {plain}")
            limit = min(left, MEMBER_LIMIT_BYTES)
            found[plain] = content if plain == name else _expand(content, limit, path.name)
            left -= len(found[plain])
            if left < 0:
                raise DataError(f"{path.name}: expands to more than {TOTAL_LIMIT_BYTES} bytes")
    except FormatError as error:
        raise DataError(str(error)) from error
    except _DAMAGE as error:
        raise DataError(f"{path.name}: damaged archive ({error})") from error
    return found


def _is_wanted(name: str, wanted: re.Pattern[str]) -> bool:
    return wanted.fullmatch(name.removesuffix(".gz")) is not None


def _members(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each regular member that is wanted, in order."""
    if path.name.endswith((".zip", ".whl")):
        yield from _zip_members(path, wanted)
    elif path.name.endswith((".tgz", ".tar.gz")):
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as stream:
            yield from _tar_members(stream, wanted, path.name)
    elif path.name.endswith(".deb"):
        with path.open("rb") as file, _debian_data(file, path.name) as stream:
            yield from _tar_members(stream, wanted, path.name)
    elif _is_wanted(path.name, wanted):
        _check_member_size(path.name, checked_size(path, FILE_LIMIT_BYTES), path.name)
        yield path.name, path.read_bytes()


def _check_member_size(where: str, size: int, member: str) -> None:
    if size > MEMBER_LIMIT_BYTES:
        raise DataError(f"{where}: member {member} has {size} bytes, too many")


def _zip_members(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    with opened_zip(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_wanted(member.filename, wanted):
                _check_member_size(path.name, member.file_size, member.filename)
                yield member.filename, read_member(archive, member.filename, MEMBER_LIMIT_BYTES)


class _Metered:
    """A stream that limits the bytes read of each member and of all members together."""

    def __init__(self, stream: Source, where: str) -> None:
        self._stream, self._where = stream, where
        self._left, self._allowed = TOTAL_LIMIT_BYTES, _HEADERS_BYTES

    def allow(self, size: int) -> None:
        """Allow `size` bytes to be read, and the headers after them."""
        if size > self._left:
            raise DataError(f"{self._where}: expands to more than {TOTAL_LIMIT_BYTES} bytes")
        self._allowed = size + _HEADERS_BYTES

    def read(self, size: int = -1, /) -> bytes:
        """Read and count bytes; `DataError` beyond a limit."""
        content = self._stream.read(min(size, _READ_BYTES) if size >= 0 else _READ_BYTES)
        self._left -= len(content)
        self._allowed -= len(content)
        if min(self._left, self._allowed) < 0:
            raise DataError(f"{self._where}: expands to more than its members' sizes")
        return content


def _tar_members(
    stream: Source, wanted: re.Pattern[str], where: str
) -> Iterator[tuple[str, bytes]]:
    """Members of an expanded tar file; those that are skipped are expanded and counted, too."""
    metered = _Metered(stream, where)
    with tarfile.open(fileobj=metered, mode="r|") as archive:  # type: ignore[call-overload]
        for _ in range(MEMBER_LIMIT):
            member = archive.next()
            if member is None:
                return
            if member.size < 0:
                raise DataError(f"{where}: damaged archive (a member of {member.size} bytes)")
            metered.allow(member.size)
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None and _is_wanted(member.name, wanted):
                _check_member_size(where, member.size, member.name)
                yield member.name, content.read()
    raise DataError(f"{where}: has more than {MEMBER_LIMIT} members")


class _Slice(io.RawIOBase):
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Read up to the end of the slice."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        content = self._file.read(wanted)
        self._left -= len(content)
        return content


def _debian_data(file: IO[bytes], where: str) -> gzip.GzipFile | lzma.LZMAFile:
    """The expanded tar file of a Debian package's files, which is a member of an ar archive."""
    if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DataError(f"{where}: not a Debian package")
    while content := file.read(_AR_HEADER_BYTES):
        header = _AR_HEADER.fullmatch(content)
        if header is None:
            raise DataError(f"{where}: damaged archive (a member's header)")
        name, size = header[1].decode("latin-1").rstrip(" /"), int(header[2])
        if name == "data.tar.gz":
            return gzip.GzipFile(fileobj=_Slice(file, size))
        if name == "data.tar.xz":
            return lzma.LZMAFile(cast(IO[bytes], _Slice(file, size)))
        file.seek(size + size % 2, io.SEEK_CUR)
    raise DataError(f"{where}: Debian package without files in data.tar.gz or data.tar.xz")


def _expand(content: bytes, limit_bytes: int, where: str) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        expanded = stream.read(limit_bytes + 1)
    if len(expanded) > limit_bytes:
        raise DataError(f"{where}: expands to more than {limit_bytes} bytes")
    return expanded
