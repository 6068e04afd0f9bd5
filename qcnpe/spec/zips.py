"""Foreign zip files: reads the directory and the members within limits."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIRECTORY_BYTES = 1 << 20
"""Largest directory: about 20,000 members, each of which costs half a kilobyte when listed."""

ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,  # an unknown feature
    RuntimeError,  # an encrypted member
    OverflowError,
)
"""Exceptions that reading a damaged or hostile zip file may raise."""


class _BoundedReads(io.FileIO):
    """A file that refuses large reads and negative positions.

    `zipfile` reads a whole directory in one call, and does not check the positions of members.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position; it must not be negative."""
        if whence == io.SEEK_SET and not 0 <= offset < 1 << 63:
            raise zipfile.BadZipFile("a place before its begin")
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        wanted = DIRECTORY_BYTES + 1 if size is None or size < 0 else size
        content = super().read(min(wanted, DIRECTORY_BYTES + 1))
        if len(content) > DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is too large")
        return content


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file, whose members have distinct names; raises one of `ZIP_DAMAGE` otherwise."""
    with _BoundedReads(path) as stream, zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        if len(set(names)) < len(names) or "" in names:
            raise zipfile.BadZipFile("two members have one name, or one has none")
        yield archive


def check_member(member: zipfile.ZipInfo) -> None:
    """Refuse a member that is encrypted, or compressed by another method than deflate."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"compression {member.compress_type} of {member.filename!r}")
    if member.flag_bits & 1:
        raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")


def read_member(archive: zipfile.ZipFile, name: str, limit_bytes: int) -> bytes:
    """Content of a member of at most `limit_bytes`; raises one of `ZIP_DAMAGE` on any failure."""
    if name not in archive.namelist():
        raise zipfile.BadZipFile(f"no member {name}")
    member = archive.getinfo(name)
    check_member(member)
    if member.file_size > limit_bytes:
        raise zipfile.BadZipFile(f"{name} has {member.file_size} bytes, more than {limit_bytes}")
    return archive.read(member)
