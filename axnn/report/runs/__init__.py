"""The interactive page on runs: operating points, layers, neurons, trials, engines, comparison."""

from axnn.report.runs.page import RunPage, write_run_page
from axnn.report.runs.readings import RunReading, find_sources, read_run

__all__ = ["RunPage", "RunReading", "find_sources", "read_run", "write_run_page"]
