"""Coverage of the engine's Verilog under a regression of a small engine.

`python -m sim.coverage` runs the bus tests, random tiles and bad commands on Verilated engines that
count executed lines, taken branches and toggled bits. It reports them by module, with every line
and branch that was never reached.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.generate import TOP
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import package_versions, results_document
from qcnpe.terminal import Console
from sim.axi_bench import environment_of
from sim.cocotb_process import run_cocotb
from sim.long import RESTS, RandomRun, Tally, run_fuzz, run_random
from sim.runner import build
from sim.verilator import DEFAULT_FOLDER

ENGINE = EngineConfig(rows=4, cols=4)
DATA_FILE = "coverage.dat"
"""Name of Verilator's file of counts, in the simulation's working folder."""

KINDS = {"line": "lines", "branch": "branches", "toggle": "toggles"}
"""Kinds of points, with their plurals."""

_BUS_SIDE = (TOP, f"{TOP}.counters", f"{TOP}.registers")
"""Modules with the upper bits of 48-bit counters, which no short run reaches."""

_RANDOM_TILES, _FUZZ_COMMANDS = 1_000, 5_000
_POINT = re.compile(r"C '(?P<keys>.*)' (?P<count>\d+)$")


@dataclass(frozen=True, order=True)
class Point:
    """A coverage point, in all instances of a module together.

    Attributes
    ----------
    module : name of the Verilog module
    kind : one of `KINDS`
    line : in the Verilog
    what : the signal's bit or the branch's arm
    """

    module: str
    kind: str
    line: int
    what: str


@dataclass
class Coverage:
    """How often each point was hit.

    Attributes
    ----------
    hits : by point
    """

    hits: Counter[Point] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        """Add the counts that a simulation wrote."""
        for point, count in read_points(text):
            self.hits[point] += count

    def by_module(self) -> dict[str, dict[str, tuple[int, int]]]:
        """(covered, all) points of each kind, by module."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for point, count in sorted(self.hits.items()):
            kinds = found.setdefault(point.module, dict.fromkeys(KINDS, (0, 0)))
            covered, total = kinds[point.kind]
            kinds[point.kind] = covered + (count > 0), total + 1
        return found

    def missed(self, kind: str) -> list[Point]:
        """Points that were never hit."""
        return sorted(p for p, count in self.hits.items() if not count and p.kind == kind)


def read_points(text: str) -> Iterable[tuple[Point, int]]:
    """Points of the generated Verilog, without the harness, and their counts."""
    for line in text.splitlines():
        match = _POINT.match(line)
        if match is None:
            continue
        keys = dict(part.split("\2", 1) for part in match["keys"].split("\1") if part)
        kind, _, module = keys["page"].removeprefix("v_").partition("/")
        if kind in KINDS and Path(keys["f"]).name == f"{TOP}.v":
            name = module.partition("__")[0]
            yield Point(name, kind, int(keys["l"]), keys.get("o", "")), int(match["count"])


def run_regression(folder: Path, seed: int, report: Any) -> Coverage:
    """The bus tests, then many random tiles and bad commands."""
    found = Coverage()
    with TemporaryDirectory(prefix="qcnpe-") as scratch:
        simulation = build(ENGINE, folder, bare=True, coverage=True)
        run_cocotb("sim.axi_cases", simulation, Path(scratch), environment_of(ENGINE))
        found.add(Path(scratch, DATA_FILE).read_text())
        report("benches of the buses: done")
        run = RandomRun(config=ENGINE, tiles=_RANDOM_TILES, max_beats=40)
        data, tally = Path(scratch, "bulk.dat"), Tally()
        for rest in RESTS:
            run_random(run, tally, seed=seed, rests=(rest,), report=report, coverage=data)
            found.add(data.read_text())
        run_fuzz(ENGINE, _FUZZ_COMMANDS, tally, seed=seed, report=report, coverage=data)
        found.add(data.read_text())
    return found


def summary(found: Coverage, seed: int) -> dict[str, Any]:
    """The counts as a document."""
    modules = found.by_module()
    inner = {name: entry for name, entry in modules.items() if name not in _BUS_SIDE}
    figures: dict[str, float] = {}
    for kind, plural in KINDS.items():
        covered, total = _sum(modules, kind)
        figures |= {f"{plural}_covered": covered, plural: total}
        figures[f"{kind}_percent"] = _percent(covered, total)
    figures["toggle_percent_without_bus_side"] = _percent(*_sum(inner, "toggle"))
    document = results_document(
        f"python -m sim.coverage --seed {seed}",
        figures,
        seed=seed,
        versions=package_versions(["verilator"]),
        engine=f"{ENGINE.rows}x{ENGINE.cols} {ENGINE.ncu}",
    )
    return {
        **document,
        "modules": modules,
        "missed": {
            kind: [f"{p.module}:{p.line} {p.what}" for p in found.missed(kind)] for kind in KINDS
        },
    }


def _sum(modules: dict[str, dict[str, tuple[int, int]]], kind: str) -> tuple[int, int]:
    covered, total = (sum(entry[kind][part] for entry in modules.values()) for part in (0, 1))
    return covered, total


def _percent(covered: int, total: int) -> float:
    return round(100 * covered / total, 2) if total else 100.0


def _table(document: dict[str, Any]) -> Table:
    table = Table(title="Coverage of the RTL")
    for name in ("module", *(f"{kind} %" for kind in KINDS)):
        table.add_column(name, overflow="fold")
    for module, kinds in document["modules"].items():
        table.add_row(module, *(_share(*kinds[kind]) for kind in KINDS))
    return table


def _signals(points: list[Point]) -> list[str]:
    """Signals of some points, with their numbers of points; without names that Yosys generates."""
    names = Counter(
        (point.module, point.what.partition("[")[0].partition(":")[0])
        for point in points
        if not re.match(r"_\d+_", point.what) and point.module not in _BUS_SIDE
    )
    return [f"{module} {name} ({count})" for (module, name), count in names.most_common()]


def _share(covered: int, total: int) -> str:
    return f"{100 * covered / total:.1f} ({covered}/{total})" if total else "-"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sim.coverage", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/coverage.json"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    console = Console()
    found = run_regression(DEFAULT_FOLDER, options.seed, console.print)
    document = summary(found, options.seed)
    write_document(options.out, document, indent=1)
    console.print(_table(document))
    for kind, plural in KINDS.items():
        missed = document["missed"][kind]
        if kind == "toggle":
            missed = _signals(found.missed(kind))
        for name in missed:
            console.print(f"{plural} never reached: {name}")
    console.print(document["figures"])
    return 0


if __name__ == "__main__":
    with command("coverage"):
        sys.exit(main())
