"""The built packages, and environments with them that know nothing of the source tree."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EPOCH = "1700000000"


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> str:
    """Run a program that must succeed; returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_tree(target: Path) -> Path:
    """A copy of the files that git knows, as a clone has them."""
    listing = run(["git", "ls-files", "-z"], ROOT)
    for name in filter(None, listing.split("\0")):
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
        copy.chmod(source.stat().st_mode)
    return target


def build(tree: Path, **variables: str) -> Path:
    """Build a tree's packages; returns the folder with the sdist and the wheel made from it."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        tree / "dist",
        tree,
    ]
    run(command, tree.parent, SOURCE_DATE_EPOCH=EPOCH, **variables)
    return tree / "dist"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist and the wheel."""
    return build(copy_tree(tmp_path_factory.mktemp("first") / "axnn"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes
    ----------
    root : its folder
    folder : from which its programs run
    """

    root: Path
    folder: Path

    def run(self, program: str, *words: str | Path) -> str:
        """Run one of its programs."""
        return run([self.root / "bin" / program, *words], self.folder)

    def uv(self, *words: str | Path) -> str:
        """Run a subcommand of `uv pip` on it: packages are linked from one cache, not unpacked."""
        import uv  # in the extra `release`; `make test` reads this file without it

        python = self.root / "bin" / "python"
        return run([uv.find_uv_bin(), "pip", *words, "--quiet", "--python", python], self.folder)

    def fails(self, program: str, *words: str | Path) -> str:
        """Run one of its programs, which must end with status 1; returns what it said."""
        done = subprocess.run(
            [self.root / "bin" / program, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        return done.stderr


@pytest.fixture(scope="session")
def install(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """Make an environment with the wheel: without an extra by pip, with one by uv."""

    def make(extra: str = "", *options: str | Path) -> Environment:
        folder = tmp_path_factory.mktemp(extra or "core")
        venv.create(folder / "venv", with_pip=not extra)
        made = Environment(folder / "venv", folder / "work")
        made.folder.mkdir()
        [wheel] = dist.glob("*.whl")
        if extra:
            made.uv("install", f"axnn[{extra}] @ {wheel.as_uri()}", *options)
        else:
            made.run("pip", "install", "--quiet", wheel, *options)
        return made

    return make
