"""From a board's design to its bitstream, with open tools."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qcnpe.boards.catalog import Board
from qcnpe.boards.design import BoardDesign
from qcnpe.boards.family import APART, TOGETHER, Family, MultiplierPath
from qcnpe.spec.documents import read_document
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.files import replace_text
from qcnpe.tools.find import require, yowasp
from qcnpe.tools.lock import only_writer
from qcnpe.tools.process import run
from qcnpe.yosys import run_yosys

DEFAULT_FOLDER = Path("build/boards")

NAME = "top"
"""Base name of the tools' files."""

_OTHERS = ("yosys", "openFPGALoader")
"""Tools that a platform requires, but that its build does not use: Yosys is a library here."""

_ASYNCHRONOUS = "<async>"
"""nextpnr's name for the clock of a pin without a clock."""


class BuildError(QcnpeError):
    """The clock is not met, or the board cannot be loaded."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """A bitstream, and its size and timing.

    Attributes
    ----------
    bitstream : file for the loader
    fmax_mhz : fastest clock by static timing analysis
    clock_mhz : the requested clock
    luts : used lookup tables, or logic cells where the chip counts those
    multipliers : used hard multipliers of 16 or 18 bits
    block_rams : used block memories
    critical_path : names on the slowest path, with the delay up to each in ns
    """

    bitstream: Path
    fmax_mhz: float
    clock_mhz: float
    luts: int
    multipliers: int
    block_rams: int
    critical_path: tuple[str, ...]


def build(
    board: Board,
    folder: Path,
    *,
    on_step: Callable[[str], None] | None = None,
    check_timing: bool = True,
) -> Built:
    """Build a board's bitstream in a folder, unless the same design was built there before.

    Parameters
    ----------
    board : with its engine
    folder : for files and logs of the tools
    on_step : called with the name of each step when it begins
    check_timing : refuse a bitstream whose clock is not met

    Raises
    ------
    ToolMissingError
        If a tool is missing: before anything is done.
    ToolError
        If a tool fails; its log stays in the folder.
    BusyError
        If another build writes to the folder.
    BuildError
        If the clock is not met: with the slowest path.
    """
    tell = on_step or (lambda step: None)
    platform = board.platform()
    require([yowasp(name) for name in platform.required_tools if name not in _OTHERS])
    tell("generating")
    plan = platform.prepare(BoardDesign(board), NAME, **overrides(board))
    with only_writer(folder):
        stamp, digest = folder / "finished", plan.digest().hex()
        if not _matches_stamp(stamp, digest):
            stamp.unlink(missing_ok=True)
            plan.extract(folder)
            _synthesize(folder, tell)
            for words in _commands(folder):
                tell({"nextpnr": "placing and routing"}.get(words[0].split("-")[0], "packing"))
                _run(words, folder)
            replace_text(stamp, digest)
        built = read_report(folder, board.family)
    if check_timing and built.fmax_mhz < built.clock_mhz:
        path = " > ".join(built.critical_path)
        raise BuildError(
            f"{board.name}: {built.fmax_mhz:.1f} MHz, not {built.clock_mhz:.1f}; the slowest path"
            f" is {path}; make the engine smaller or the clock slower"
        )
    return built


def overrides(board: Board) -> dict[str, Any]:
    """Options of the platform's build, by the platform's names."""
    place_options = board.family.place_options
    return {
        "emit_src": False,  # paths of this machine
        "script_after_read": "\n".join(APART),
        "synth_opts": board.family.mapping,
        "script_after_synth": "\n".join(TOGETHER),
        # `build` reports a missed clock, with the path.
        "nextpnr_opts": f"--report {NAME}.report.json --timing-allow-fail {place_options}",
    }


def _matches_stamp(stamp: Path, digest: str) -> bool:
    """Whether a file records this digest as finished."""
    return stamp.is_file() and stamp.read_bytes() == digest.encode()


def _synthesize(folder: Path, tell: Callable[[str], None]) -> None:
    """Synthesise, unless the same sources were synthesised before and only a later step failed."""
    sources = [folder / f"{NAME}.ys", *sorted(folder.glob("*.il"))]
    parts = [version("pyosys").encode(), *(path.read_bytes() for path in sources)]
    stamp, digest = folder / "synthesised", sha256(b"\0".join(parts)).hexdigest()
    if not _matches_stamp(stamp, digest):
        tell("synthesising")
        stamp.unlink(missing_ok=True)
        synthesize(folder)
        replace_text(stamp, digest)


def synthesize(folder: Path) -> None:
    """Run the platform's Yosys script on the files of its folder."""
    script = (folder / f"{NAME}.ys").read_text().splitlines()
    commands = [line for line in script if line and not line.startswith("#")]
    with TemporaryDirectory(prefix=".yosys-", dir=folder) as name:
        scratch = Path(name)
        for source in folder.glob("*.il"):
            (scratch / source.name).symlink_to(Path("..", source.name))
        run_yosys(commands, scratch, log=folder / "yosys.log")
        netlist = f"{NAME}.json"
        (scratch / netlist).replace(folder / netlist)


def _commands(folder: Path) -> list[list[str]]:
    """The platform's commands after Yosys, each beginning with the tool's plain name."""
    text = (folder / f"build_{NAME}.sh").read_text().replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        called = re.match(r'"?\$\{?(\w+)\}?"?\s(.*)', line.strip())
        if called and called[1] != "YOSYS":
            found.append([called[1].lower().replace("_", "-"), *shlex.split(called[2])])
    return found


def _run(words: list[str], folder: Path) -> None:
    name = words[0]
    run(name, [yowasp(name).require(), *words[1:]], folder, log=folder / f"{name}.log")


def read_report(folder: Path, family: Family) -> Built:
    """The build that a folder of nextpnr's files describes."""
    path = folder / f"{NAME}.report.json"
    report = read_document(path, dict[str, Any], more_fields=True)
    try:
        return _built(folder, report, family)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise BuildError(f"{path}: not a report of nextpnr ({error!r}); build again") from error


def _built(folder: Path, report: dict[str, Any], family: Family) -> Built:
    clock = min(report["fmax"].values(), key=lambda entry: entry["achieved"] / entry["constraint"])
    path = _slowest_path(report, family.multiplier_path)
    through = path[-1][1] if path else 0.0
    used = {cell: entry["used"] for cell, entry in report["utilization"].items()}
    bitstreams = [folder / f"{NAME}.{ending}" for ending in ("bit", "bin")]
    return Built(
        bitstream=next((path for path in bitstreams if path.is_file()), bitstreams[0]),
        fmax_mhz=min(clock["achieved"], 1e3 / through if through else clock["achieved"]),
        clock_mhz=clock["constraint"],
        luts=used.get(family.placed.lut, 0),
        multipliers=used.get(family.placed.multiplier, 0),
        block_rams=used.get(family.placed.block_ram, 0),
        critical_path=tuple(f"{cell} {delay:.1f} ns" for cell, delay in _ends(path)),
    )


def _ends(path: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """First, middle and last step of a path."""
    return [path[0], *path[len(path) // 2 : len(path) // 2 + 1], path[-1]] if path else []


def _slowest_path(
    report: dict[str, Any], multiplier: MultiplierPath | None
) -> list[tuple[str, float]]:
    """(cell, delay up to it in ns) along the slowest path from a register to a register."""
    within, into, out_of = [], [], []
    for path in report["critical_paths"]:
        steps = [(step["to"]["cell"], step["delay"]) for step in path["path"]]
        ends = path["from"], path["to"]
        if ends[0] == ends[1]:
            within.append(steps)
        elif multiplier is not None and _ASYNCHRONOUS not in "".join(ends):
            if multiplier.clock in ends[1]:
                into.append(steps)
            elif multiplier.clock in ends[0]:
                out_of.append(steps)
    if multiplier is not None:
        through = ("multiplier", multiplier.delay_ns)
        within += [[*first, through, *second] for first in into for second in out_of]
    longest = max(within, key=lambda path: sum(delay for _, delay in path), default=[])
    delays = accumulate(delay for _, delay in longest)
    return [(cell, delay) for (cell, _), delay in zip(longest, delays, strict=True)]
