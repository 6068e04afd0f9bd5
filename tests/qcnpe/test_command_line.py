"""How commands end: by an error that a user can correct, by a signal, for a missing extra."""

import signal
import subprocess
import sys

import pytest

from tests.processes import is_alive, wait_for

COMMAND = """
from pathlib import Path
from qcnpe.command_line import command
from qcnpe.tools.process import run
with command("ours"):
    run("tool", ["/bin/sh", "-c", "echo $$ > pid; sleep 60"], Path.cwd())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_command_in_order(tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as started:
        pid = tmp_path / "pid"
        wait_for(lambda: pid.exists() and pid.read_text())
        started.send_signal(number)
        _, said = started.communicate(timeout=60)
    assert said == "ours: stopped; run again to continue\n"
    assert started.returncode == 128 + number
    wait_for(lambda: not is_alive(int(pid.read_text())), seconds=5)
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]
