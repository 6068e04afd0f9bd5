"""Names from files are shown literally on the terminal, for any content."""

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


WIDE = ("accuracy of the exact network", "97.78%", "1,234,567 pJ", "15:10  8:20  4:400  2:12000")


def printed(width, capsys):
    table = Table("application", "accuracy", title="Wide")
    table.columns[1].justify = "right"
    table.add_column("energy", justify="right")
    table.add_column("neurons by width")
    table.add_row(*WIDE)
    Console(width=width).print(table)
    return capsys.readouterr().out


def test_wide_table_folds_text_and_cuts_no_number(capsys):
    for width in (120, 80, 60, 46):
        text = printed(width, capsys)
        assert WIDE[1] in text
        assert WIDE[2] in text
        assert "…" not in text
        assert all(len(line) <= width for line in text.splitlines())


def test_narrow_table_leaves_columns_out_and_says_so(capsys):
    text = " ".join(printed(36, capsys).split())
    assert WIDE[1] in text
    assert WIDE[2] not in text
    assert "1,2" not in text
    assert "Left out for want of width: neurons by width, energy" in text
    assert "--json has all" in text


@pytest.mark.parametrize(
    ("total", "reached", "shown"), [(80, 79, "79/79"), (80, 0, "80/80"), (None, 0, "1/1")]
)
def test_progress_is_full_when_the_work_is_done(total, reached, shown, capsys):
    with show_progress("training", total) as update:
        update(reached)
    assert shown in capsys.readouterr().err


def test_progress_of_work_that_fails_is_not_full(capsys):
    def fail():
        with show_progress("training", 80) as update:
            update(7)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "7/80" in capsys.readouterr().err
