"""Reports: tables for the terminal, figures of a run, and one page on all applications."""

from axnn.report.book import Book, app_names, make_book
from axnn.report.run_figures import draw_figures
from axnn.report.tables import (
    HardwareCheck,
    book_table,
    fetch_table,
    import_table,
    make_summary,
    resilience_table,
    steps_table,
    summary_table,
    training_table,
    write_summary,
)

__all__ = [
    "Book",
    "HardwareCheck",
    "app_names",
    "book_table",
    "draw_figures",
    "fetch_table",
    "import_table",
    "make_book",
    "make_summary",
    "resilience_table",
    "steps_table",
    "summary_table",
    "training_table",
    "write_summary",
]
