"""Files of arrays: numpy's .npz with a JSON header, never pickled, replaced only when complete."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import replace_file

MAX_ARCHIVE_BYTES = 4 << 30
"""Largest uncompressed size that is read: a damaged or hostile file cannot exhaust the memory."""

_HEADER = "header.json"

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    EOFError,
    MemoryError,  # an array's own header may claim any size
    RecursionError,  # so deep a JSON header
    NotImplementedError,  # an unknown compression
    RuntimeError,  # an encrypted member
)
"""What reading a damaged or hostile file raises."""


def write_archive(
    path: Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays and a header that JSON can hold to `path`.

    The file is written under a temporary name and renamed, so that an interrupted run leaves the
    earlier file whole. The same content gives the same bytes.
    """
    document = json.dumps({"kind": kind, **header}, sort_keys=True)

    def fill(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(_member(_HEADER), document)
            for name in sorted(arrays):
                with archive.open(_member(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(arrays[name]), allow_pickle=False)

    replace_file(Path(path), fill)


def _member(name: str) -> zipfile.ZipInfo:
    """A compressed member; without a date, which would bring the clock into the file."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def read_archive(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and arrays of a file that `write_archive` made with the same `kind`.

    Raises
    ------
    FormatError
        If the file is missing, damaged, too large or of another kind.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(path, archive)
            header = json.loads(archive.read(_HEADER))
            _check_kind(path, header, kind)
            return header, dict(_read_arrays(archive))
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; run the step that makes it first") from None
    except IsADirectoryError:
        raise FormatError(f"{path}: is a folder; give a {kind} file") from None
    except _DAMAGE as error:
        reason = str(error).strip("'\"").split("\n")[0]
        message = f"{path}: not a readable {kind} file ({reason}); make it again"
        raise FormatError(message) from error


def _check_size(path: Path, archive: zipfile.ZipFile) -> None:
    total = sum(member.file_size for member in archive.infolist())
    if total > MAX_ARCHIVE_BYTES:
        raise FormatError(f"{path}: would take {total} bytes, more than {MAX_ARCHIVE_BYTES}")


def _check_kind(path: Path, header: Any, kind: str) -> None:
    found = header.get("kind") if isinstance(header, dict) else None
    if found != kind:
        raise FormatError(f"{path}: holds {found!r}, not {kind!r}; give the right file")


def _read_arrays(archive: zipfile.ZipFile) -> Iterator[tuple[str, NDArray[Any]]]:
    for member in archive.namelist():
        if member.endswith(".npy"):
            with archive.open(member) as data:
                yield member[: -len(".npy")], np.lib.format.read_array(data, allow_pickle=False)
