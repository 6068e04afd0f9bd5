"""A core-only installation: a command that needs an extra names it in one line; all others work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from axnn.cli import cli as axnn
from qcnpe.cli import cli as qcnpe
from tests.core_only import commands

EXTRAS = {
    "axnn train digits8x8": "data",
    "axnn import net.onnx": "onnx",
    "axnn train --side": "data",
    "axnn speed digits": "onnx",
    "axnn run --run": "boards",
    "axnn export --run": "onnx",
    "axnn verify --run": "onnx",
    "qcnpe tool-path": "sim",
    "qcnpe simulate": "sim",
    "qcnpe export": "onnx",
    "qcnpe verify": "onnx",
    "qcnpe bitstream icebreaker": "boards",
}
"""Extra that the command needs, by its first words; others need none."""

WITHOUT_FILES = {
    "qcnpe program icebreaker": "no bitstream; run `qcnpe bitstream",
    "axnn collect tiny": "holds no experiments of tiny",
}
"""Messages of commands that need no extra and find no files."""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Status and stderr of every command."""
    folder = tmp_path_factory.mktemp("core")
    command = [sys.executable, "-m", "tests.core_only", str(folder)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_command_says_what_it_lacks(said):
    for command, (status, text) in said.items():
        assert "Traceback" not in text, text
        wanted = next((name for name in EXTRAS if command.startswith(name)), None)
        if wanted:
            remedy = f"install the extra {EXTRAS[wanted]}: pip install 'axnn[{EXTRAS[wanted]}]'"
            assert (status, text.strip().endswith(remedy)) == (1, True), f"{command}: {text}"
        elif command in WITHOUT_FILES:
            assert WITHOUT_FILES[command] in text
        else:
            assert status == 0, f"{command}: {text}"


def test_no_command_is_left_out():
    listed = {tuple(words[:2]) for words in commands(Path())}
    for name, cli in (("axnn", axnn), ("qcnpe", qcnpe)):
        assert {(name, word) for word in get_group(cli).commands} <= listed
