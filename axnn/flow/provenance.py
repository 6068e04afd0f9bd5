"""Which version of the project made a run's figures, and when."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from qcnpe.spec.documents import read_document, write_document
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.results import package_versions
from qcnpe.tools.process import run

FILE = "provenance.json"
"""Name of the file in a run's folder."""

PACKAGES = ("numpy", "amaranth", "pyosys")
"""Packages whose versions are recorded, besides the project's own."""

_GIT_LIMIT_S = 10


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What an evaluation was made with.

    Attributes
    ----------
    date : of the evaluation, in UTC
    commit : of the source tree, with `-dirty` if files had changed; None without a git checkout
    versions : of the project, of Python and of packages, by name
    machine : kind of processor and operating system
    """

    date: str
    commit: str | None
    versions: dict[str, str]
    machine: str

    @classmethod
    def now(cls) -> "Provenance":
        """What is installed now."""
        return cls(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            commit=_commit(Path(__file__).parents[2]),
            versions={
                "axnn": version("axnn"),
                "python": platform.python_version(),
                **package_versions(PACKAGES),
            },
            machine=f"{platform.machine()}, {platform.system()}",
        )

    @classmethod
    def of_run(cls, folder: Path) -> "Provenance | None":
        """What is recorded in a folder; None if an earlier version evaluated the run."""
        path = folder / FILE
        return read_document(path, cls) if path.exists() else None

    def write(self, folder: Path) -> None:
        """Record it in a folder."""
        write_document(folder / FILE, self)


def _commit(tree: Path) -> str | None:
    """The commit of a source tree."""
    if not (tree / ".git").exists():
        return None
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return run("git", words, tree, limit_s=_GIT_LIMIT_S).stdout.strip() or None
    except QcnpeError:
        return None
