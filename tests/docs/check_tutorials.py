"""The tutorials, run as a reader types them, in an empty folder."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "tutorials"

_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def follow(page: str, folder: Path) -> None:
    """Run all blocks of a page."""
    for language, text in _BLOCK.findall((PAGES / page).read_text(encoding="utf-8")):
        if language == "python":
            run([sys.executable, "-c", text], folder)
            continue
        for line in text.splitlines():
            if words := shlex.split(line, comments=True):
                run([sys.executable, "-m", *words], folder)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after the first tutorial."""
    folder = tmp_path_factory.mktemp("ring")
    follow("csv-to-verilog.md", folder)
    return folder


def test_from_a_table_to_verilog(ring):
    assert (ring / "verilog" / "qcnpe_engine.v").is_file()


@pytest.mark.parametrize("page", ["choose-an-engine.md", "read-the-energy.md"])
def test_tutorials_that_start_from_the_first(ring, page):
    follow(page, ring)


def test_from_pytorch_to_an_engine(tmp_path):
    shutil.copy(ROOT / "examples" / "torch_digits.onnx", tmp_path / "net.onnx")
    follow("onnx-to-engine.md", tmp_path)


def test_every_tutorial_is_run():
    assert {path.name for path in PAGES.glob("*.md")} == {
        "csv-to-verilog.md",
        "choose-an-engine.md",
        "read-the-energy.md",
        "onnx-to-engine.md",
    }
