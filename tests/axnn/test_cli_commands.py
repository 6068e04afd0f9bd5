"""The table of commands: it says what the modules add, and keeps the help quick."""

import subprocess
import sys
from importlib import import_module

import pytest
from typer.core import TyperCommand
from typer.main import get_group

from axnn.cli.app import COMMANDS, DeferredCommand, cli

HEAVY = {"amaranth", "numpy", "msgspec", "onnx", "matplotlib", "pyosys", "rich", "sim", "synth"}


def loaded_commands() -> dict[str, TyperCommand]:
    """All commands that the modules of the package add, by name."""
    for module in {entry.module for entry in COMMANDS}:
        import_module(f"axnn.cli.{module}")
    found = get_group(cli).commands
    return {name: each for name, each in found.items() if not isinstance(each, DeferredCommand)}  # type: ignore[misc]


def test_the_table_has_every_command_with_its_help():
    found = {
        name: (each.help or "").partition("\n\n")[0] for name, each in loaded_commands().items()
    }
    assert found == {entry.name: entry.help for entry in COMMANDS}


@pytest.mark.parametrize("word", ["--help", "--version", "--show-completion"])
def test_help_imports_nothing_that_only_the_commands_need(word):
    code = f"""
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), sep="\\n", file=sys.stderr))
from axnn.cli import main
sys.argv = ["axnn", {word!r}]
main()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    loaded = {name.partition(".")[0] for name in run.stderr.splitlines()}
    assert "typer" in loaded
    assert not HEAVY & loaded


def test_help_names_the_commands_in_the_order_of_the_table():
    code = "from axnn.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    listed = run.stdout.partition("Commands:\n")[2].splitlines()
    names = [line.split()[0] for line in listed if not line.startswith("   ")]
    assert names == [entry.name for entry in COMMANDS]
    assert "..." not in run.stdout.partition("Commands:\n")[2]
