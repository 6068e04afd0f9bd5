"""Converts OpenSTA's SDF for Icarus Verilog.

Icarus 11 applies only plain IOPATH entries; it silently ignores conditional ones (from version 12
on also interconnect), which would leave exclusive-ors and adders without delay. So the conditional
paths of a pin pair become one path with their mean, which is right on average for counting
glitches; timing sign-off keeps the conditional delays of the Liberty file.
"""

import re
from collections import defaultdict
from statistics import fmean

_CELL = re.compile(
    r'\(CELL\s*\(CELLTYPE "(?P<type>[^"]+)"\)\s*\(INSTANCE (?P<name>\S+)\)'
    r"(?P<body>.*?)(?=\(CELL\s|\Z)",
    re.S,
)
_PATH = re.compile(r"\(IOPATH (\w+) (\w+) \(([^()]*)\) \(([^()]*)\)\)")


def merge_conditions(text: str) -> str:
    """Return an SDF file with one unconditional IOPATH for each pin pair of each instance.

    Delays are the mean of the slowest value of each condition's triple, at least zero. Timing
    checks and interconnect entries are left out.
    """
    first = text.find("(CELL")
    header = text[:first].rstrip()
    cells = [_cell(m) for m in _CELL.finditer(text, first)]
    return "\n".join([header, *(c for c in cells if c), ")", ""])


def _cell(match: re.Match[str]) -> str:
    delays: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for pin, output, rise, fall in _PATH.findall(match["body"]):
        delays[pin, output].append((_slowest(rise), _slowest(fall)))
    if not delays:
        return ""
    lines = [f' (CELL (CELLTYPE "{match["type"]}") (INSTANCE {match["name"]}) (DELAY (ABSOLUTE']
    for (pin, output), found in delays.items():
        rise, fall = (fmean(column) for column in zip(*found, strict=True))
        lines.append(f"  (IOPATH {pin} {output} ({rise:.4f}) ({fall:.4f}))")
    return "\n".join(lines) + ")))"


def _slowest(triple: str) -> float:
    return max(0.0, *(float(x) for x in triple.split(":") if x))
