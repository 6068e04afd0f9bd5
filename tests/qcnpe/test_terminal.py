"""Names from files reach the terminal as they are, whatever they hold."""

import ast
from pathlib import Path

import pytest
from rich.table import Table

from qcnpe.terminal import Console, show, show_progress

ROOT = Path(__file__).parents[2]
EVIL = "[/x] [red]r[/red] :smile: \x1b[2Jz"
SHOWN = "[/x] [red]r[/red] :smile: z"


def make_table():
    table = Table(EVIL, title=EVIL, caption=EVIL)
    table.add_row(EVIL)
    return table


def test_tables_and_lines_show_text_as_it_is(capsys):
    Console(width=80).print(EVIL)
    show(make_table(), {}, quiet=False, as_json=False)
    printed = capsys.readouterr().out
    assert printed.count(SHOWN) == 5
    assert "\x1b" not in printed


def test_json_and_quiet(capsys):
    show(make_table(), {"name": EVIL}, quiet=False, as_json=True)
    assert "\\u001b[2J" in capsys.readouterr().out
    show(make_table(), {}, quiet=True, as_json=False)
    assert capsys.readouterr().out == ""


def test_progress_shows_text_as_it_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with show_progress(EVIL, 2) as update:
        update(1, note=EVIL)
    printed = capsys.readouterr().err
    assert printed.count(SHOWN) >= 2
    assert "\x1b[2J" not in printed


@pytest.mark.parametrize("module", ["rich.console", "rich.progress"])
def test_nothing_else_makes_consoles_and_bars(module):
    """`TimeElapsedColumn` and the like are no places where text is shown."""
    makers = {"Console", "Progress", "TextColumn", "track"}
    found = [
        str(path.relative_to(ROOT))
        for folder in ("qcnpe", "axnn", "sim", "synth", "examples")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == module
        and makers & {alias.name for alias in node.names}
    ]
    assert not found
