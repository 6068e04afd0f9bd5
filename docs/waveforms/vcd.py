"""Reads the signals of a file of waveforms (VCD) that a figure shows.

pyvcd does not read these files: it refuses names that begin with `$`, which Verilator gives to the
scope of the ports and Amaranth to signals without a name.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def sampled(path: Path, clock: str, signals: Sequence[str]) -> dict[str, list[int]]:
    """Values of signals in each cycle: those that a register takes at the clock's rising edge.

    Parameters
    ----------
    path : the file, of a simulation without unknown values
    clock, signals : names with those of all modules, separated by dots

    Raises
    ------
    KeyError
        If there is no such signal.
    """
    with path.open(encoding="ascii") as stream:
        lines = iter(stream)
        codes = _codes(lines)
        edge = codes[clock]
        wanted = {name: codes[name] for name in signals}
        found: dict[str, list[int]] = {name: [] for name in signals}
        values = dict.fromkeys([edge, *wanted.values()], 0)
        for changes in _steps(lines, set(values)):
            if changes.get(edge, 0) > values[edge]:
                for name, code in wanted.items():
                    found[name].append(values[code])
            values |= changes
    return found


def _codes(lines: Iterator[str]) -> dict[str, str]:
    """The code of each signal, from the head of the file."""
    scopes: list[str] = []
    codes = {}
    for line in lines:
        match line.split():
            case ["$scope", _, name, "$end"]:
                scopes.append(name)
            case ["$upscope", "$end"]:
                scopes.pop()
            case ["$var", _, _, code, name, *_]:
                codes[".".join((*scopes, name))] = code
            case ["$enddefinitions", "$end"]:
                break
    return codes


def _steps(lines: Iterable[str], wanted: set[str]) -> Iterator[dict[str, int]]:
    """The new values of signals at each time."""
    changes: dict[str, int] = {}
    for line in lines:
        if line.startswith("#"):
            yield changes
            changes = {}
            continue
        value, _, code = line.strip().partition(" ") if line[0] == "b" else (line[0], "", line[1:])
        if (code := code.strip()) in wanted:
            changes[code] = int(value.removeprefix("b"), 2)
    yield changes
