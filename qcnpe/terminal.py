"""Consoles, tables and progress bars that show foreign text literally.

Rich would interpret `[/x]` in a name as markup and pass on escape sequences. No other module of the
project makes a console or a progress bar.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from rich import console, progress
from rich.cells import cell_len
from rich.table import Column, Table
from rich.text import Text

from qcnpe.spec.text import printable

_TEXT_WIDTH = 10
"""A column of text is wrapped at this many characters before another column is left out."""

_RULES = 3
"""Characters between two columns: a vertical line and a space on either side of it."""


class Console(console.Console):
    """A console without markup, emoji codes and control characters, in tables and in lines.

    Where a table is too wide, text is wrapped, and then whole columns are left out; no number is
    cut.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Render a string; every string that is printed comes here."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; tables are at most as wide as the terminal."""
        fitting = [fit(each, self.width) if isinstance(each, Table) else each for each in objects]
        super().print(*fitting, **options)


def fit(table: Table, width: int) -> Table:
    """The table with as many columns as fit into `width` characters.

    Right-justified columns are those of numbers. Columns of text are left out first, from the last
    one on, then columns of numbers, until the rest fits; the first column stays. The caption names
    what is missing.
    """
    shown = copy(table)
    shown.columns = [_foldable(column) for column in table.columns]
    missing: list[str] = []
    while len(shown.columns) > 2 and _least_width(shown) > width:
        rest = shown.columns[1:]
        dropped = ([column for column in rest if column.justify != "right"] or rest)[-1]
        shown.columns = [column for column in shown.columns if column is not dropped]
        missing.append(str(dropped.header) or "the last column")
    if missing:
        note = f"Left out for want of width: {', '.join(missing)}; --json has all"
        shown.caption = f"{table.caption}. {note}" if table.caption else note
    return shown


def plain_table(title: str, *rows: tuple[str, str]) -> Table:
    """A table of names and values, without headings."""
    table = Table(title=title, show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


def _foldable(column: Column) -> Column:
    """A copy that never cuts a number, and wraps text instead of cutting it."""
    own = copy(column)
    longest = max((_longest_line(cell) for cell in column.cells), default=0)
    own.overflow = "fold"
    own.min_width = longest if column.justify == "right" else min(longest, _TEXT_WIDTH)
    return own


def _longest_line(cell: Any) -> int:
    return max((cell_len(line) for line in str(cell).splitlines()), default=0)


def _least_width(table: Table) -> int:
    return sum(_RULES + (column.min_width or 0) for column in table.columns) + 1


class PlainColumn(progress.TextColumn):
    """A column of text in a progress bar, without markup and control characters."""

    def __init__(self, text_format: str) -> None:
        super().__init__(text_format, markup=False)

    def render(self, task: progress.Task) -> Text:
        """The text for a task."""
        text = super().render(task)
        text.plain = printable(text.plain)
        return text


class Progress(progress.Progress):
    """Progress bars on stderr: title, bar, count, time and, where a task has one, a note."""

    def __init__(self, *columns: progress.ProgressColumn, **options: Any) -> None:
        super().__init__(*columns, **{"console": Console(stderr=True), **options})

    @classmethod
    def get_default_columns(cls) -> tuple[progress.ProgressColumn, ...]:
        """The columns that are shown unless others are given."""
        return (
            PlainColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            PlainColumn("{task.fields[note]}"),
        )

    def add_task(self, description: str, **options: Any) -> progress.TaskID:  # type: ignore[override]
        """Add a bar; `note` is empty unless given."""
        return super().add_task(description, **{"note": "", **options})


@contextmanager
def show_progress(
    title: str, total: int | None = None, *, quiet: bool = False
) -> Iterator[Callable[..., None]]:
    """Show a progress bar; yields a function that takes `completed` and `note`.

    When the work is done, the bar is full, even if nothing was left to do, the work ended early, or
    its amount was unknown.
    """
    with Progress(disable=quiet) as bars:
        task = bars.add_task(title, total=total)

        def update(completed: int, note: str = "") -> None:
            bars.update(task, completed=completed, note=note)

        yield update
        done = int(bars.tasks[0].completed) or total or 1
        bars.update(task, completed=done, total=done)


def show(table: Table, document: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    """Print a result as a table, as JSON, or not at all."""
    if as_json:
        print(json.dumps(document, indent=2))
    elif not quiet:
        Console().print(table)
