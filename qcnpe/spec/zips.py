"""Zip files of foreign origin: their directory and their members within limits."""

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
"""What reading a damaged or hostile zip file raises."""


class _BoundedReads(io.FileIO):
    """A file of which nobody reads much at once, or from before its begin.

    `zipfile` reads a whole directory in one call, and takes the members' places as they are.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there, if it is a place in a file."""
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
    """The zip file, of whose members no two have one name; one of `ZIP_DAMAGE` if it is none."""
    with _BoundedReads(path) as stream, zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        if len(set(names)) < len(names) or "" in names:
            raise zipfile.BadZipFile("two members have one name, or one has none")
        yield archive


def check_member(member: zipfile.ZipInfo) -> None:
    """Refuse a member that is encrypted, or compressed otherwise than by deflation."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"compression {member.compress_type} of {member.filename!r}")
    if member.flag_bits & 1:
        raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")


def read_member(archive: zipfile.ZipFile, name: str, limit_bytes: int) -> bytes:
    """Content of a member of at most `limit_bytes`; one of `ZIP_DAMAGE` if it is not to be had."""
    if name not in archive.namelist():
        raise zipfile.BadZipFile(f"no member {name}")
    member = archive.getinfo(name)
    check_member(member)
    if member.file_size > limit_bytes:
        raise zipfile.BadZipFile(f"{name} has {member.file_size} bytes, more than {limit_bytes}")
    return archive.read(member)
