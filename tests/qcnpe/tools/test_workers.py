"""Worker processes: where they import from, and how they end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qcnpe.spec.errors import WorkerError
from qcnpe.tools.workers import worker_processes
from tests.hostile import hostile_modules
from tests.processes import is_alive, wait_for

PROGRAM = """
import sys
from pathlib import Path
from qcnpe.command_line import command
from qcnpe.tools.process import run
from qcnpe.tools.workers import worker_processes

def work(number):
    run("tool", ["/bin/sh", "-c", f"echo $$ > pid{number}; sleep 60"], Path.cwd())

if __name__ == "__main__":
    with command("ours"), worker_processes(2) as pool:
        for job in [pool.submit(work, number) for number in range(4)]:
            job.result()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_and_their_tools_end_with_the_command(tmp_path, number):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    pids = [tmp_path / "pid0", tmp_path / "pid1"]
    with subprocess.Popen(
        [sys.executable, program], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as started:
        wait_for(lambda: all(pid.exists() and pid.read_text() for pid in pids))
        started.send_signal(number)
        _, said = started.communicate(timeout=60)  # until no worker holds the pipe
    if number != signal.SIGKILL:  # then Python's tracker of semaphores says that some are left
        assert said == "ours: stopped; run again to continue\n"
    wait_for(lambda: not any(is_alive(int(pid.read_text())) for pid in pids))
    assert {path.name for path in tmp_path.iterdir()} == {"program.py", "pid0", "pid1"}


def _kill_self(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_worker_is_one_line():
    with pytest.raises(WorkerError, match="a working process was killed"), worker_processes(1) as p:
        p.submit(_kill_self, 0).result()


def test_worker_imports_nothing_from_the_current_folder(tmp_path: Path):
    """Python starts workers by a program on the command line, which looks there first."""
    hostile_modules(tmp_path)
    code = """
import os
from qcnpe.tools.workers import worker_processes
if __name__ == "__main__":
    with worker_processes(1) as pool:
        print(pool.submit(os.getcwd).result())
"""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "program.py").write_text(code)
    command = [sys.executable, "inner/program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == f"{tmp_path}\n", done.stderr
