"""Files of arrays: numpy's .npz with a JSON header that determines the arrays.

A file is checked in this order: the directory of the zip, the header, the names of the arrays that
the header implies, the type and shape of each array, the size of its member. Only then is memory
allocated, for exactly that size. Nothing is unpickled, and a member that the header does not imply
is refused without reading it.
"""

import json
import math
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.documents import decode_document, encode_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import checked_size, replace_file
from qcnpe.spec.zips import ZIP_DAMAGE, check_member, opened_zip, read_member

Header = TypeVar("Header")
Entry = TypeVar("Entry")

LIMIT_BYTES = 1 << 30
"""Largest file, and largest total size of its expanded members, by default."""

_READ_BYTES = 1 << 20
"""Bytes of an array that are read at once."""

_HEADER_BYTES = 16 << 20
_HEADER = "header.json"
_ARRAY_HEADER = re.compile(
    rb"\{'descr': '(?P<type>\|b1|[<>|][iu][1248]|[<>]f[248]|[<>]U[1-9][0-9]{0,3})',"
    rb" 'fortran_order': (?P<order>True|False),"
    rb" 'shape': \((?P<shape>|[0-9]{1,18},|[0-9]{1,18}(, [0-9]{1,18})+)\), \} *\n"
)
"""As numpy's writer of version 1.0 makes it, for booleans, numbers and words."""

_NAMED_TYPE = re.compile(rb"\{'descr': '([^']{1,40})'")
_ARRAY = ".npy"


@dataclass(frozen=True)
class ArrayType:
    """Required type, shape and range of an array in a file.

    Attributes
    ----------
    dtype : type of its elements
    shape : its sizes; None where any size is allowed
    low, high : smallest and largest value allowed
    finite : whether infinities and not-a-numbers are refused
    """

    dtype: type[np.generic]
    shape: tuple[int | None, ...]
    low: float | None = None
    high: float | None = None
    finite: bool = True

    def fits(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
        """Whether the type and shape of an array match."""
        return (
            dtype == np.dtype(self.dtype)
            and len(shape) == len(self.shape)
            and all(b in (None, a) for a, b in zip(shape, self.shape, strict=True))
        )

    def fault(self, array: NDArray[Any]) -> str | None:
        """What is wrong with the array's values, if anything is."""
        if not array.size:
            return None
        if fault := _fault_of_type(array):
            return fault
        if array.dtype.kind == "f" and self.finite and not np.isfinite(array).all():
            return "values that are not finite"
        if (self.low is not None and array.min() < self.low) or (
            self.high is not None and array.max() > self.high
        ):
            return f"values outside {self.low}..{self.high}"
        return None

    def __str__(self) -> str:
        sizes = ["any" if size is None else str(size) for size in self.shape]
        shape = f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
        return f"{np.dtype(self.dtype)} {shape}"


def add_prefix(prefix: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Arrays, or their types, with `prefix` before their names."""
    return {prefix + name: entry for name, entry in entries.items()}


def take_prefix(prefix: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Inverse of `add_prefix`: the entries whose names have the prefix, without it."""
    return {
        name.removeprefix(prefix): entry
        for name, entry in entries.items()
        if name.startswith(prefix)
    }


Layout = Callable[[Header], Mapping[str, ArrayType]]
"""The arrays that a header implies, by name."""


def write_npz(path: Path, kind: str, header: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a header and arrays to `path`; the same content gives the same bytes.

    Parameters
    ----------
    path : replaced only when the new content is safely on the disk
    kind : name of the file format, with its version
    header : a dataclass or a mapping that JSON can hold
    arrays : by name; stored in C order
    """
    document = json.loads(encode_document(header))
    text = encode_document({**document, "kind": kind}, sort_keys=True)

    def fill(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(_new_member(_HEADER), text)
            for name in sorted(arrays):
                with archive.open(_new_member(name + _ARRAY), "w", force_zip64=True) as member:
                    array = np.asarray(arrays[name], order="C")
                    np.lib.format.write_array(member, array, allow_pickle=False)

    replace_file(Path(path), fill)


def _new_member(name: str) -> zipfile.ZipInfo:
    """A compressed member without a date, so that the file does not depend on the clock."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def read_npz(
    path: Path,
    kind: str,
    schema: type[Header],
    layout: Layout[Header],
    *,
    limit_bytes: int = LIMIT_BYTES,
) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Header and arrays of a file that `write_npz` made with the same `kind`.

    Parameters
    ----------
    path : the file
    kind : name of the file format, with its version
    schema : what the header must be, without its kind, see `qcnpe.spec.documents`
    layout : the arrays that a header implies; called before any array is read
    limit_bytes : largest size of the file, and of its expanded members

    Raises
    ------
    FormatError
        If the file is missing, damaged, too large, of another kind, or does not match the schema.
    """
    path = Path(path)
    with _opened(path, kind, limit_bytes) as archive:
        header = _read_header(path, archive, kind, schema)
        expected = layout(header)
        _check_names(path, archive, expected)
        arrays = {
            name: _read_array(archive, name + _ARRAY, expected[name], f"{path}: array {name}")
            for name in expected
        }
    return header, arrays


def read_npz_header(
    path: Path, kind: str, schema: type[Header], *, limit_bytes: int = LIMIT_BYTES
) -> Header:
    """The header alone, as `read_npz` reads it; no array is read."""
    path = Path(path)
    with _opened(path, kind, limit_bytes) as archive:
        return _read_header(path, archive, kind, schema)


def read_plain_npz(path: Path, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, NDArray[Any]]:
    """All arrays of a file that numpy's `savez` or another tool made: numbers, booleans and words.

    Raises
    ------
    FormatError
        If the file is missing, damaged, too large, or holds anything else, such as objects.
    """
    path = Path(path)
    arrays = {}
    with _opened(path, "npz", limit_bytes) as archive:
        for member in archive.namelist():
            where = f"{path}: {member!r}"
            if not member.endswith(_ARRAY):
                raise FormatError(f"{where} is no array; make the file with numpy.savez")
            array = _read_member(archive, member, where, words=True)
            if fault := _fault_of_type(array):
                raise FormatError(f"{where} has {fault}; make it again")
            arrays[member.removesuffix(_ARRAY)] = array
    return arrays


def npz_kind(path: Path) -> str:
    """Name of a file's format, for readers of several formats; no array is read."""
    path = Path(path)
    with _opened(path, "npz", LIMIT_BYTES) as archive:
        found = _read_document(path, archive).get("kind")
    if not isinstance(found, str):
        raise FormatError(f"{path}: its header names no kind; give another file")
    return found


@contextmanager
def _opened(path: Path, kind: str, limit_bytes: int) -> Iterator[zipfile.ZipFile]:
    """The zip file, with its directory checked; damage raises `FormatError`."""
    checked_size(path, limit_bytes)
    try:
        with opened_zip(path) as archive:
            _check_members(archive.infolist(), limit_bytes)
            yield archive
    except ZIP_DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        message = f"{path}: not a readable {kind} file ({reason}); make it again"
        raise FormatError(message) from error


def _check_members(members: list[zipfile.ZipInfo], limit_bytes: int) -> None:
    total = sum(member.file_size for member in members)
    if total > limit_bytes:
        raise zipfile.BadZipFile(f"would expand to {total} bytes, more than {limit_bytes}")
    for member in members:
        check_member(member)


def _read_document(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    """The header before it is checked, including its kind."""
    content = read_member(archive, _HEADER, _HEADER_BYTES)
    return decode_document(content, dict[str, Any], where=f"{path}: {_HEADER}")


def _read_header(path: Path, archive: zipfile.ZipFile, kind: str, schema: type[Header]) -> Header:
    document = _read_document(path, archive)
    if (found := document.pop("kind", None)) != kind:
        raise FormatError(f"{path}: holds {found!r}, not {kind!r}; give the right file")
    return decode_document(encode_document(document), schema, where=f"{path}: {_HEADER}")


def _check_names(path: Path, archive: zipfile.ZipFile, expected: Mapping[str, ArrayType]) -> None:
    names = set(archive.namelist()) - {_HEADER}
    wanted = {name + _ARRAY for name in expected}
    if missing := sorted(wanted - names):
        raise FormatError(f"{path}: has no {missing[0]!r}; make it again")
    if unwanted := sorted(names - wanted):
        raise FormatError(f"{path}: holds {unwanted[0]!r}, which its header does not name")


def _read_array(
    archive: zipfile.ZipFile, member: str, expected: ArrayType, where: str
) -> NDArray[Any]:
    def check(dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        if not expected.fits(dtype, shape):
            raise FormatError(f"{where} must be {expected}, not {dtype} {shape}; make it again")

    array = _read_member(archive, member, where, check=check)
    if fault := expected.fault(array):
        raise FormatError(f"{where} has {fault}; make it again")
    return array


def _read_member(
    archive: zipfile.ZipFile,
    member: str,
    where: str,
    *,
    words: bool = False,
    check: Callable[[np.dtype[Any], tuple[int, ...]], None] | None = None,
) -> NDArray[Any]:
    """An array whose type, shape and size are checked before memory is allocated for it."""
    with archive.open(member) as stream:
        dtype, shape, fortran = _read_array_header(stream, where, words=words)
        if check is not None:
            check(dtype, shape)
        nbytes = math.prod(shape) * dtype.itemsize
        if archive.getinfo(member).file_size != stream.tell() + nbytes:
            raise FormatError(f"{where}: its size is not that of {dtype} {shape}; make it again")
        array = np.empty(shape[::-1] if fortran else shape, dtype)
        _fill(stream, array)
    return np.ascontiguousarray(array.T) if fortran else array


def _read_array_header(
    stream: IO[bytes], where: str, *, words: bool
) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Type, shape, and whether the order is Fortran's; nothing is evaluated.

    Parameters
    ----------
    stream : the member
    where : its name, for messages
    words : whether text is allowed besides numbers
    """
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    length = int.from_bytes(stream.read(2), "little")
    text = stream.read(length)
    header = _ARRAY_HEADER.fullmatch(text)
    if header is None or (header["type"][1:2] == b"U" and not words):
        if words and (named := _NAMED_TYPE.match(text)):
            kind = named[1].decode("latin-1")
            raise FormatError(f"{where}: is of type {kind!r}, not of plain numbers or words")
        raise ValueError("the header of an array is not that of plain numbers or words")
    sizes = header["shape"].decode().replace(",", " ").split()
    return np.dtype(header["type"].decode()), tuple(map(int, sizes)), header["order"] == b"True"


def _fault_of_type(array: NDArray[Any]) -> str | None:
    """What no value of the array's type looks like, if it is there."""
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        return "booleans other than 0 and 1"
    if array.dtype.kind == "U" and array.size:
        letters = np.ascontiguousarray(array).view(
            np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        )
        if letters.max() > sys.maxunicode:
            return "letters that there are not"
    return None


def _fill(stream: IO[bytes], array: NDArray[Any]) -> None:
    """Read exactly the array's content, then to the member's end, where its checksum is tested."""
    content = array.reshape(-1).view(np.uint8).data
    done = 0
    while part := stream.read(min(_READ_BYTES, len(content) - done + 1)):
        if done + len(part) > len(content):
            raise ValueError("a member goes on after its array")
        content[done : done + len(part)] = part
        done += len(part)
    if done < len(content):
        raise EOFError("a member ends before its array")
