"""Finds the reason of a failure in the output of a tool."""

import re
import signal
from collections.abc import Iterable
from pathlib import Path

from qcnpe.spec.text import printable

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # The cause itself, as compilers, linkers, Verilator, Yosys, nextpnr, ngspice and OpenSTA
        # write it. The word "error" elsewhere in a line may be the name of a signal.
        r"^%Error\b(?!: Exiting due to)",
        r"\bfatal error\b",
        r"^(.+?: )?(ERROR|FATAL): ",
        r"^(\S.*?:\d+(:\d+)?: )?(internal compiler |syntax )?error\b(: |$)",
        r"undefined reference to |cannot find -l|cannot open shared object file",
        r"^(Error|Fatal error)\b(?! \d+$)",
        r"^\S*(Error|Exception): ",
        r"No space left on device|[Cc]annot allocate memory|virtual memory exhausted|out of memory",
        r"[Tt]imestep too small|singular matrix|iteration limit reached",
        r"command not found|: not found$|No such file or directory|Permission denied",
        # Consequences of the cause.
        r"\*\*\* ",
        r"\b(collect2|ld|cc1plus|g\+\+|c\+\+): ",
        r"^terminate called|Assertion .* failed|Segmentation fault|Aborted|Killed",
    )
)
"""Patterns of lines that name a cause, the most reliable first."""

_WARNING = re.compile(r"^%?Warning\b|\bwarning: ", re.IGNORECASE)
_REMARK = re.compile(r"^-?(Info|Note)\b")
_LONGEST = 400


def true_cause(errors: Path, output: Path, status: int) -> str:
    """The line that says why a tool failed; stderr is searched before stdout.

    Parameters
    ----------
    errors, output : files with the tool's stderr and stdout
    status : its exit status; if negative, the number of the signal that ended it
    """
    for pattern in _PATTERNS:
        for file in (errors, output):
            for line in _lines(file):
                if pattern.search(line) and not _WARNING.search(line):
                    return _shortened(line)
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    for file in (errors, output):
        *_, last = ("", *_lines(file))
        if last:
            return f"{_shortened(last)} (status {status})"
    return f"ended with status {status} and said nothing"


def _lines(file: Path) -> Iterable[str]:
    with file.open(encoding="utf-8", errors="replace") as text:
        for line in text:
            plain = printable(line).strip()
            if plain and not _REMARK.search(plain):
                yield plain


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
