"""TOML that users write: decoded into typed objects or refused, as strictly as JSON documents are.

Errors name the file and the key. What is left out has its default; a key that the schema does not
have is refused.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from qcnpe.spec.errors import FormatError, QcnpeError
from qcnpe.spec.files import read_limited

Document = TypeVar("Document")

LIMIT_BYTES = 1 << 17
"""Largest file: a network of a thousand layers."""

MAX_DEPTH = 16
"""Deepest nesting of lists and tables."""

_MOST_POINTS = 100
"""Points in a line, at most: each nests a key deeper, and the decoder takes the square of that."""

_PLACE = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file as they are.

    Raises
    ------
    FormatError
        If the file is missing, too large, or no TOML.
    """
    content = read_limited(path, LIMIT_BYTES)
    try:
        text = content.decode("utf-8-sig")  # editors may begin a file with a mark
        if max(map(_count_points, text.splitlines()), default=0) > _MOST_POINTS:
            raise ValueError(f"a line of more than {_MOST_POINTS} points")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is not TOML ({error}); correct it") from error


def _count_points(line: str) -> int:
    return line.count(".")


def convert_toml(document: dict[str, Any], schema: type[Document], *, where: str) -> Document:
    """What the tables of a file say, as `schema` has it.

    Parameters
    ----------
    document : the tables
    schema : a dataclass
    where : the file, for messages

    Raises
    ------
    FormatError
        If a key is missing or unknown, or its value is of another type or out of range.
    """
    for key, value, depth in _walk(document):
        if depth > MAX_DEPTH:
            raise FormatError(f"{where}: {key[:100]}: nested deeper than {MAX_DEPTH}; correct it")
        if isinstance(value, float) and not isfinite(value):
            raise FormatError(f"{where}: {key}: must be a finite number, not {value}")
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise FormatError(f"{where}: {key}: an integer of more than 64 bits; correct it")
    found = _convert(document, schema, where)
    _check_keys(document, found, where, "")
    return found


def _walk(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any, int]]:
    """Every value with its key and depth; nothing below the deepest that is allowed."""
    yield key, value, depth
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(each, _join(key, name), depth + 1)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _walk(each, f"{key}[{number}]", depth + 1)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _convert(document: dict[str, Any], schema: type[Document], where: str) -> Document:
    try:
        return msgspec.convert(document, schema)
    except msgspec.MsgspecError as error:
        found = _PLACE.fullmatch(str(error))
        assert found is not None
        key = f"{found['place']}: " if found["place"] else ""
        raise FormatError(f"{where}: {key}{found['reason']}; correct it") from error
    except QcnpeError as error:
        key = _find_fault(document, schema, "")
        raise FormatError(f"{where}: {key + ': ' if key else ''}{error}") from error


def _find_fault(value: Any, schema: Any, key: str) -> str:
    """Key of the innermost table whose object refuses its values."""
    for name, part, inner in _parts(value, schema, key):
        if is_dataclass(inner) and _refuses(part, inner):
            return _find_fault(part, inner, name)
    return key


def _refuses(value: Any, schema: Any) -> bool:
    try:
        msgspec.convert(value, schema)
    except QcnpeError:
        return True
    except msgspec.MsgspecError:
        return False
    return False


def _parts(value: Any, schema: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """The tables in a table, each with its key and its dataclass."""
    for name, hint in get_type_hints(schema).items():
        if name not in value:
            continue
        part, place = value[name], _join(key, name)
        if get_origin(hint) is tuple and isinstance(part, list):
            for number, each in enumerate(part):
                yield f"{place}[{number}]", each, get_args(hint)[0]
        else:
            kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
            for kind in kinds:
                if is_dataclass(kind) and isinstance(part, dict):
                    yield place, part, kind


def _check_keys(found: Any, known: Any, where: str, key: str) -> None:
    """Refuse keys that would be read over.

    Parameters
    ----------
    found : what the file holds
    known : what the schema took of it
    where : the file
    key : of both
    """
    if isinstance(found, dict) and is_dataclass(known):
        names = [entry.name for entry in fields(known)]
        for name, value in found.items():
            place = _join(key, name)
            if name not in names:
                raise FormatError(f"{where}: {place}: unknown key; there are {', '.join(names)}")
            _check_keys(value, getattr(known, name), where, place)
    elif isinstance(found, list):
        for number, value in enumerate(found):
            _check_keys(value, known[number], where, f"{key}[{number}]")


def encode_toml(document: Any) -> str:
    """TOML text of a dataclass, from which `convert_toml` makes an equal one.

    Its fields are strings, numbers, booleans, tuples and dataclasses. What is None is left out, and
    in tuples of dataclasses what has its default.
    """
    return "\n".join(_table_lines(document, ""))


def _table_lines(table: Any, key: str) -> Iterator[str]:
    """A table's values, then the tables in it, each under its own heading."""
    parts = {entry.name: getattr(table, entry.name) for entry in fields(table)}
    for name, part in parts.items():
        if part is not None and not is_dataclass(part):
            yield f"{name} = {_inline(part)}"
    yield ""
    for name, part in parts.items():
        if is_dataclass(part):
            yield f"[{_join(key, name)}]"
            yield from _table_lines(part, _join(key, name))


def _inline(value: Any) -> str:
    """A value in the text of one line; a list of tables has a line for each."""
    if is_dataclass(value):
        parts = [
            f"{entry.name} = {_inline(part)}"
            for entry in fields(value)
            if (part := getattr(value, entry.name)) is not None and part != entry.default
        ]
        return f"{{ {', '.join(parts)} }}"
    if isinstance(value, tuple):
        if value and is_dataclass(value[0]):
            return "".join(("[\n", *(f"    {_inline(each)},\n" for each in value), "]"))
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()
