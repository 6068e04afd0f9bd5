"""What all proofs share: their parameters, and a table of verdicts at the end."""

from typing import Any

import pytest

from qcnpe.spec.config import EngineConfig


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spread a proof over its sizes and its bugs."""
    cls: Any = metafunc.cls
    if "size" in metafunc.fixturenames:
        metafunc.parametrize("size", cls.sizes, ids=_name)
    if "claim" in metafunc.fixturenames:
        metafunc.parametrize("claim", list(cls.bugs))


def _name(size: Any) -> str:
    return f"{size.rows}x{size.cols}" if isinstance(size, EngineConfig) else str(size)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Verdict, mode, depth and time of every task."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    rows = [
        f"{text}  {report.nodeid.rpartition('/')[2]}"
        for report in sorted(reports, key=lambda report: report.nodeid)
        for name, text in report.user_properties
        if name == "formal"
    ]
    if rows:
        terminalreporter.section("formal verification")
        terminalreporter.write("\n".join(rows) + "\n")
