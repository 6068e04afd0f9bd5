"""Tasks give the same results wherever they run, also when a worker is killed."""

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from qcnpe.spec.errors import ConfigError, WorkerError
from qcnpe.tasks import IN_THIS_PROCESS, Workplace, run_tasks
from qcnpe.tasks.local import local_workers
from tests.hostile import hostile_modules
from tests.processes import is_alive, wait_for

ITEMS = list(range(8))
SHARED = {"factor": 3}
RESULTS = [(index, 3 * item) for index, item in enumerate(ITEMS)]

PROGRAM = """
import sys
from pathlib import Path
from qcnpe.command_line import command
from qcnpe.tasks import Workplace, run_tasks
from qcnpe.tools.process import run

def work(folder, number, tell):
    run("tool", ["/bin/sh", "-c", f"echo $$ > pid{number}; sleep 60"], folder)

if __name__ == "__main__":
    with command("ours"):
        list(run_tasks(work, Path.cwd(), range(4), Workplace(2)))
"""


def product(shared: dict[str, int], item: int, tell: Callable[[str], None]) -> int:
    """A task that says in which process it runs."""
    tell(str(os.getpid()))
    return shared["factor"] * item


def slow_product(shared: dict[str, int], item: int, tell: Callable[[str], None]) -> int:
    """The same, but item 2 waits for ever where the file does not exist."""
    tell(str(os.getpid()))
    flag = Path(str(shared["flag"]))
    if item == 2:
        wait_for(flag.exists)
    return shared["factor"] * item


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and two workers on loopback, as a user starts them; address and processes."""
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", *common, "--nthreads", "1", "--no-nanny"]
    scheduler = ["distributed.cli.dask_scheduler", *common, "--host", "127.0.0.1", "--port", "0"]
    with ExitStack() as stack:

        def start(module: str, *words: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", module, *words]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start(*scheduler)
        workers = [start(*worker) for _ in range(2)]
        wait_for(lambda: file.exists() and file.read_text())
        yield json.loads(file.read_text())["address"], [process.pid for process in workers]


def test_order_and_notes_in_this_process():
    notes: list[tuple[int, str]] = []
    found = run_tasks(product, SHARED, ITEMS, IN_THIS_PROCESS, lambda *note: notes.append(note))
    assert list(found) == RESULTS
    assert notes == [(index, str(os.getpid())) for index in ITEMS]


def test_two_workers_give_the_same():
    notes: dict[int, str] = {}
    found = run_tasks(product, SHARED, ITEMS, Workplace(workers=2), notes.__setitem__)
    assert sorted(found) == RESULTS
    assert len(set(notes.values()) - {str(os.getpid())}) == 2


def test_a_killed_worker_of_a_cluster_changes_nothing(tmp_path):
    flag = tmp_path / "flag"
    where: dict[int, int] = {}
    with cluster(tmp_path) as (address, workers):

        def hear(index: int, note: str) -> None:
            first = 2 not in where
            where[index] = int(note)
            if index == 2 and first:
                os.kill(int(note), signal.SIGKILL)
                flag.touch()

        shared: dict[str, Any] = {**SHARED, "flag": str(flag)}
        found = run_tasks(slow_product, shared, ITEMS, Workplace(scheduler=address), hear)
        assert sorted(found) == RESULTS
        assert sum(is_alive(pid) for pid in workers) == 1
        assert where[2] in workers


def test_shared_data_are_sent_once_to_each_worker(tmp_path):
    log = tmp_path / "loads"
    found = dict(run_tasks(_which, _Logged(log), ITEMS, Workplace(workers=2)))
    loads = [line for line in log.read_text().split() if line != str(os.getpid())]  # the scheduler
    assert len(loads) == len(set(loads)) == len(set(found.values()))


class _Logged:
    """Data that note each process in which they arrive."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self.log,)


def _arrive(log: Path) -> _Logged:
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return _Logged(log)


def _which(shared: _Logged, item: int, tell: Callable[[str], None]) -> int:
    return os.getpid()


def _kill_self(shared: None, item: int, tell: Callable[[str], None]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_when_no_worker_is_left_it_is_one_line():
    with pytest.raises(WorkerError, match="a working process was killed"):
        list(run_tasks(_kill_self, None, ITEMS, Workplace(workers=2)))


def _refuse(shared: None, item: int, tell: Callable[[str], None]) -> None:
    raise ConfigError("item must be good, not bad")


def test_errors_of_a_task_are_those_of_this_process():
    with pytest.raises(ConfigError, match="item must be good, not bad"):
        list(run_tasks(_refuse, None, ITEMS, Workplace(workers=2)))


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch):
    monkeypatch.setattr("qcnpe.tasks.run._CONNECT_S", 1)
    with pytest.raises(WorkerError, match=r"no scheduler .* at tcp://127\.0\.0\.1:1 "):
        list(run_tasks(product, SHARED, ITEMS, Workplace(scheduler="tcp://127.0.0.1:1")))


def test_workers_are_at_least_one():
    with pytest.raises(ConfigError, match="workers must be at least 1, not 0"):
        Workplace(workers=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_and_their_tools_end_with_the_command(tmp_path, number):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    pids = [tmp_path / "pid0", tmp_path / "pid1"]
    with subprocess.Popen(
        [sys.executable, program], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as started:
        wait_for(lambda: len([*tmp_path.glob("pid?")]) == 2)
        pids = [*tmp_path.glob("pid?")]
        wait_for(lambda: all(pid.read_text() for pid in pids))
        started.send_signal(number)
        _, said = started.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert said == "ours: stopped; run again to continue\n"
    wait_for(lambda: not any(is_alive(int(pid.read_text())) for pid in pids))
    wait_for(lambda: {path.name for path in tmp_path.iterdir()} == {"program.py", *names(pids)})


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_worker_imports_nothing_from_the_current_folder(tmp_path: Path):
    hostile_modules(tmp_path)
    code = """
from qcnpe.tasks import Workplace, run_tasks

def work(shared, item, tell):
    return item

if __name__ == "__main__":
    print(sorted(run_tasks(work, None, [5, 6], Workplace(2))))
"""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "program.py").write_text(code)
    command = [sys.executable, "inner/program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "[(0, 5), (1, 6)]\n", done.stderr


def test_status_pages_are_on_this_machine_alone_and_two_commands_run_at_once():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with local_workers(0) as one, local_workers(0) as other:
            ports = set()
            for workers in (one, other):
                cluster = workers.client.cluster
                assert cluster is not None
                server = cluster.scheduler.http_server
                (listening,) = server._sockets.values()
                address, port = listening.getsockname()
                assert address == "127.0.0.1"
                ports.add(port)
    assert len(ports) == 2
