"""Kills a process that simulates, and waits for its children to end."""

import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).parents[2]


def check_nothing_is_left(program: str, *, seconds: float = 20) -> None:
    """Nothing that a program started outlives it by much, even if it is killed.

    Parameters
    ----------
    program : Python source that starts a simulation, prints a line, and waits
    seconds : that the simulation may take to notice
    """
    call = [sys.executable, "-c", program]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as host:
        assert host.stdout is not None
        assert host.stdout.readline()
        started = list(_descendants(host.pid))
        assert started
        host.kill()
    end = monotonic() + seconds
    while (left := [process for process in started if _runs(process)]) and monotonic() < end:
        sleep(0.1)
    assert not left, f"still running: {left}"


def _descendants(process: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and nobody has asked how
