"""JSON documents: decoded into typed objects, or refused; no value is converted or guessed.

A schema is a dataclass (or any type that msgspec knows). Types are strict: 3.7 is not an integer,
1 and "false" are not booleans, NaN and Infinity are not JSON. A field that the schema does not have
is refused, too: otherwise a misspelt field would silently take its default.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from qcnpe.spec.errors import FormatError, QcnpeError
from qcnpe.spec.files import read_limited, replace_text

Document = TypeVar("Document")

Natural = Annotated[int, msgspec.Meta(ge=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Exponent = Annotated[int, msgspec.Meta(ge=-128, le=127)]
"""Numbers with a range, for the fields of schemas: 0 or more, twice; above 0; 0 < x <= 1;
0 <= x <= 1; the exponent of a power of two."""

LIMIT_BYTES = 16 << 20
"""Largest document that is read, by default. It also bounds the time, to a second or two."""

MAX_DEPTH = 64
"""Deepest nesting of lists and objects."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_DEPTH_STEPS = np.zeros(256, np.int8)
_DEPTH_STEPS[list(b"[{")] = 1
_DEPTH_STEPS[list(b"]}")] = -1


def read_document(
    path: Path,
    schema: type[Document],
    *,
    limit_bytes: int = LIMIT_BYTES,
    more_fields: bool = False,
) -> Document:
    """The document in a file.

    Parameters
    ----------
    path : the file
    schema : what the document must be
    limit_bytes : largest size of the file
    more_fields : ignore fields that the schema does not have, as in files of other tools

    Raises
    ------
    FormatError
        If the file is missing, too large, not JSON, or does not match the schema.
    """
    content = read_limited(path, limit_bytes)
    return decode_document(content, schema, where=str(path), more_fields=more_fields)


def decode_document(
    content: bytes | str, schema: type[Document], *, where: str, more_fields: bool = False
) -> Document:
    """The document in a text.

    Parameters
    ----------
    content : UTF-8
    schema : what the document must be
    where : origin of the text, for the message
    more_fields : as for `read_document`

    Raises
    ------
    FormatError
        If the text is not JSON, or does not match the schema.
    """
    plain = content.encode() if isinstance(content, str) else content
    _check_depth(plain, where)
    try:
        document = msgspec.json.decode(plain, type=schema)
        if not more_fields:
            taken = msgspec.json.decode(msgspec.json.encode(document))
            _check_parts(msgspec.json.decode(plain), taken)
    except (msgspec.MsgspecError, OverflowError, UnicodeError) as error:
        raise _refusal(where, error) from error
    except QcnpeError as error:
        raise FormatError(f"{where}: {error}") from error
    return document


def convert_document(value: Any, schema: type[Document], *, where: str) -> Document:
    """A decoded part of a document as a typed object; errors as those of `decode_document`."""
    return decode_document(encode_document(value), schema, where=where)


def encode_document(document: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """JSON text of dataclasses, mappings, sequences and plain values.

    Raises
    ------
    FormatError
        If a number is not finite, which JSON cannot hold.
    """
    try:
        return json.dumps(
            document, sort_keys=sort_keys, allow_nan=False, indent=indent, default=asdict
        )
    except ValueError as error:
        raise FormatError(f"a figure is not a finite number ({error})") from error


def write_document(path: Path, document: Any, *, indent: int = 2) -> bool:
    """Write a document to a file, see `encode_document`; returns whether the file has changed."""
    return replace_text(path, encode_document(document, indent=indent) + "\n")


def _check_depth(content: bytes, where: str) -> None:
    """Refuse nesting that could exhaust the stack of a decoder or of a recursive reader."""
    outside = np.frombuffer(_STRING.sub(b"", content), np.uint8)
    if outside.size and _DEPTH_STEPS[outside].cumsum(dtype=np.int32).max() > MAX_DEPTH:
        raise FormatError(f"{where}: nested deeper than {MAX_DEPTH}; make it again")


def _check_parts(found: Any, known: Any) -> None:
    """Refuse fields that the schema would ignore, and integers of more than 64 bits.

    Parameters
    ----------
    found : the whole document
    known : the part of it that the schema has
    """
    if isinstance(found, int) and not -(1 << 63) <= found < 1 << 64:
        raise FormatError("an integer of more than 64 bits; make it again")
    if isinstance(found, dict) and isinstance(known, dict):
        if unknown := sorted(found.keys() - known.keys()):
            raise FormatError(f"unknown field {unknown[0]!r}; make it again with this version")
        for name, value in found.items():
            _check_parts(value, known[name])
    elif isinstance(found, list) and isinstance(known, list):
        for value, taken in zip(found, known, strict=False):
            _check_parts(value, taken)


def _refusal(where: str, error: Exception) -> FormatError:
    reason = str(error).replace("\n", " ")
    return FormatError(f"{where}: not what it should be ({reason}); make it again")
