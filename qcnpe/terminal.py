"""What every command prints with: text from files and servers is shown as it is, never obeyed.

Rich would take `[/x]` in a name for markup and pass escape sequences on. Nothing else in the
project makes a console or a progress bar of its own.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import console, progress
from rich.table import Table
from rich.text import Text

from qcnpe.spec.text import printable


class Console(console.Console):
    """A console without markup, emoji codes and control characters, in tables as in lines."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed passes here."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})


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
        """What is shown unless other columns are given."""
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
    """A progress bar; what it yields takes `completed` and `note`."""
    with Progress(disable=quiet) as bars:
        task = bars.add_task(title, total=total)

        def update(completed: int, note: str = "") -> None:
            bars.update(task, completed=completed, note=note)

        yield update


def show(table: Table, document: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    """Print a result as a table, as JSON, or not at all."""
    if as_json:
        print(json.dumps(document, indent=2))
    elif not quiet:
        Console().print(table)
