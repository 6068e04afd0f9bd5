"""What README.md tells users to type must exist and work."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line]


TOOL_COMMANDS = [words for words in commands() if words[0] in ("axnn", "qcnpe")]


def test_make_targets_exist():
    asked = {words[1] for words in commands() if words[0] == "make"}
    asked |= set(re.findall(r"`make ([a-z-]+)", README))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert asked <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("words", TOOL_COMMANDS, ids=" ".join)
def test_commands_know_their_options(words):
    tool, step, *rest = words
    run = subprocess.run(
        [sys.executable, "-c", f"from {tool}.cli import main; main()", step, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert run.returncode == 0, run.stderr
    for option in (word for word in rest if word.startswith("--")):
        assert option in run.stdout


def test_python_block_runs(tmp_path):
    (block,) = blocks("python")
    run = subprocess.run(
        [sys.executable, "-c", block],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("(8, 4)")
    assert (tmp_path / "mine.npz").is_file()


def test_links_and_named_files_exist():
    named = re.findall(r"\]\(([^)#:]+)\)", README)
    named += re.findall(r"`((?:axnn|qcnpe|sim|synth|tests|examples)/[\w./-]*)`", README)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing
