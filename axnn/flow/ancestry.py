"""What a file was made from: kept in the file, and believed only as long as it is still so.

A file is known by the SHA-256 of its bytes, anything else (a plan, an engine, prices) by that of
its JSON text. A step whose file names what the step would be done with now is not done again; a
reader refuses a file whose ancestors are no longer those that it names.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axnn.errors import RunError
from qcnpe.spec.documents import convert_document, encode_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import checked_size

MADE_FROM = "made_from"
"""Where headers, notes and documents keep it."""

_LIMIT_BYTES = 1 << 30

_FILE = re.compile(r"(\.\./)?([\w-][\w.-]*/)?[\w-][\w.-]*")
"""A file of the run folder or of one beside, above or below it: nothing else is ever opened."""


def digest_of(value: Any) -> str:
    """SHA-256 of a value: of dataclasses, mappings, sequences and plain values."""
    return hashlib.sha256(encode_document(value, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; `FormatError` if there is no such file."""
    checked_size(path, _LIMIT_BYTES)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Ancestry:
    """All that a file was made from.

    Attributes
    ----------
    files : SHA-256 of each file, by its path from the folder of the descendant
    values : SHA-256 of each other thing, by its name
    """

    files: Mapping[str, str]
    values: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in self.files:
            if not _FILE.fullmatch(name):
                raise FormatError(f"{name!r} is no file of a run")

    @classmethod
    def of(cls, descendant: Path, files: Iterable[Path], **values: Any) -> "Ancestry":
        """What a file is made from now.

        Parameters
        ----------
        descendant : the file
        files : that it is made from
        values : all else that it depends on
        """
        return cls(
            files={_from(descendant, path): file_digest(path) for path in files},
            values={name: digest_of(value) for name, value in values.items()},
        )

    @classmethod
    def recorded(cls, document: Mapping[str, Any], path: Path) -> "Ancestry":
        """What the document in a file says that the file was made from.

        Raises
        ------
        RunError
            If it says nothing.
        """
        if MADE_FROM not in document:
            raise RunError(
                f"{path}: does not say what it was made from, as files of earlier versions do not; "
                "delete it, or choose another folder"
            )
        return convert_document(document[MADE_FROM], cls, where=str(path))

    @property
    def key(self) -> str:
        """Hash of all of it."""
        return digest_of(self)

    def unfinished(self, path: Path, step: str) -> Path:
        """Where a step that takes long keeps what it has so far, until `path` is written."""
        return path.parent / f"{step}-{self.key[:12]}.part.npz"

    def check(
        self, path: Path, *, files: Iterable[Path], values: Mapping[str, Any], remedy: str
    ) -> None:
        """Refuse the file whose ancestry this is unless its ancestors are as they were.

        Parameters
        ----------
        path : the file
        files : that it must have been made from, perhaps among others
        values : that it must have been made with, perhaps among others
        remedy : the command that makes it anew

        Raises
        ------
        RunError
            If an ancestor is missing or another one.
        """
        folder = path.parent
        names = {_from(path, file) for file in files} | set(self.files)
        now = {name: file_digest(folder / name) for name in sorted(names)}
        found = Ancestry(now, {name: digest_of(value) for name, value in values.items()})
        if change := self.difference(found):
            raise RunError(f"{path}: was made {change}; run {remedy} again")

    def difference(self, now: "Ancestry") -> str | None:
        """How what the file was made from differs from what there is now, in words, if it does."""
        for name, found in now.files.items():
            if self.files.get(name) != found:
                return f"from another {name}"
        for name, found in now.values.items():
            if self.values.get(name) != found:
                return f"with another {name.replace('_', ' ')}"
        return None


def _from(descendant: Path, path: Path) -> str:
    return Path(os.path.relpath(path, descendant.parent)).as_posix()
