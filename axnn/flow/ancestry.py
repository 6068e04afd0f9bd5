"""Ancestry: what a file was made from, recorded in the file and checked when it is read.

An ancestor that is a file is identified by the SHA-256 of its bytes, any other (a plan, an engine,
prices) by that of its JSON text. A step is skipped if its file records the present ancestors; a
reader refuses a file whose ancestors have changed.
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
"""Key of the ancestry in headers, notes and documents."""

_PLURALS = frozenset(("criteria", "data", "prices", "shares", "ways"))
"""Names of values that are plurals, for messages."""

_LIMIT_BYTES = 1 << 30

_FILE = re.compile(r"(\.\./)?([\w-][\w.-]*/)?[\w-][\w.-]*")
"""A file in the run folder or in a folder beside, above or below it; no other is ever opened."""


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
    """Everything that a file was made from.

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
        """The present ancestry of a file.

        Parameters
        ----------
        descendant : the file
        files : those that it is made from
        values : everything else that it depends on
        """
        return cls(
            files={_from(descendant, path): file_digest(path) for path in files},
            values={name: digest_of(value) for name, value in values.items()},
        )

    @classmethod
    def recorded(cls, document: Mapping[str, Any], path: Path) -> "Ancestry":
        """The ancestry in the document of a file.

        Raises
        ------
        RunError
            If there is none.
        """
        if MADE_FROM not in document:
            raise RunError(
                f"{path}: does not say what it was made from, since an earlier version wrote it; "
                "delete it, or choose another folder"
            )
        return convert_document(document[MADE_FROM], cls, where=str(path))

    @property
    def key(self) -> str:
        """SHA-256 of the whole ancestry."""
        return digest_of(self)

    def unfinished(self, path: Path, step: str) -> Path:
        """The file in which a long step keeps its intermediate state until `path` is written."""
        return path.parent / f"{step}-{self.key[:12]}.part.npz"

    def check(
        self, path: Path, *, files: Iterable[Path], values: Mapping[str, Any], remedy: str
    ) -> None:
        """Refuse a file, of which this is the ancestry, if an ancestor has changed.

        Parameters
        ----------
        path : the file
        files, values : that must be among its ancestors, as they are now
        remedy : the command that makes it again

        Raises
        ------
        RunError
            If an ancestor is missing or has changed.
        """
        folder = path.parent
        names = {_from(path, file) for file in files} | set(self.files)
        now = {name: file_digest(folder / name) for name in sorted(names)}
        found = Ancestry(now, {name: digest_of(value) for name, value in values.items()})
        if change := self.difference(found):
            raise RunError(f"{path}: was made {change}; run {remedy} again")

    def difference(self, now: "Ancestry") -> str | None:
        """In words, how this ancestry differs from the present one; None if it does not."""
        for name, found in now.files.items():
            if self.files.get(name) != found:
                return f"from another {name}"
        for name, found in now.values.items():
            if self.values.get(name) != found:
                article = "other" if name in _PLURALS else "another"
                return f"with {article} {name.replace('_', ' ')}"
        return None


def _from(descendant: Path, path: Path) -> str:
    return Path(os.path.relpath(path, descendant.parent)).as_posix()
