"""Reports: tables for the terminal, a page on runs, and one page on all applications."""

from axnn.report.book import Book, app_names, make_book
from axnn.report.runs import RunPage, RunReading, find_sources, read_run, write_run_page
from axnn.report.tables import (
    HardwareCheck,
    book_table,
    fetch_table,
    import_table,
    make_summary,
    resilience_table,
    run_page_table,
    summary_table,
    training_table,
    trials_table,
    write_summary,
)

__all__ = [
    "Book",
    "HardwareCheck",
    "RunPage",
    "RunReading",
    "app_names",
    "book_table",
    "fetch_table",
    "find_sources",
    "import_table",
    "make_book",
    "make_summary",
    "read_run",
    "resilience_table",
    "run_page_table",
    "summary_table",
    "training_table",
    "trials_table",
    "write_run_page",
    "write_summary",
]
