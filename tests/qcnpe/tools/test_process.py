"""Starting and ending tools: with real processes, which write what they were given."""

import os
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from qcnpe.spec.errors import ToolError
from qcnpe.tools.process import Process, ToolThreads, run
from tests.hostile import WEIRD
from tests.processes import is_alive, wait_for

CHILDREN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep({seconds})
"""
"""A program that starts another one, and ends before it if it sleeps for a short time."""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_environment_is_made_not_inherited(tmp_path, monkeypatch):
    for name in ("VERILATOR_ROOT", "PYTHONPATH", "MAKEFLAGS", "LD_PRELOAD", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("PATH", f":relative:{os.environ['PATH']}")
    told = run("python", python("import os; print(sorted(os.environ.items()))"), tmp_path).stdout
    assert "nowhere" not in told
    assert "relative" not in told
    assert "'HOME'" in told


def test_only_package_clients_are_told_of_the_network(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "no_proxy", "PIP_INDEX_URL", "npm_config_registry"):
        monkeypatch.setenv(name, "the-way-out")
    show = python("import os; print(list(os.environ.values()).count('the-way-out'))")
    assert run("python", show, tmp_path).stdout == "0\n"
    assert run("python", show, tmp_path, downloads=True).stdout == "4\n"


def test_python_imports_nothing_from_the_current_folder(tmp_path):
    (tmp_path / "tempfile.py").write_text("raise SystemExit('hostile')")
    code = "import tempfile, sys; print(tempfile.gettempdir())"
    told = run("python", python(code), tmp_path).stdout.strip()
    assert Path(told).parent == tmp_path
    # Nor does one that the tool starts.
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    run("python", python(nested), tmp_path)


def test_temporary_folder_is_named_by_plain_letters_and_deleted(tmp_path):
    folder = tmp_path / WEIRD
    folder.mkdir()
    script = 'echo kept > "$TMPDIR/left" && test -f "$TMPDIR/left" && printf "%s" "$TMPDIR"'
    told = run("sh", ["/bin/sh", "-c", script], folder).stdout
    assert told.replace("-", "").replace("_", "").removeprefix(".").isalnum()
    assert list(folder.iterdir()) == []


def test_failure_names_cause_and_log(tmp_path):
    script = "echo a warning about error; echo 'x.v:1: ERROR: no such wire' >&2; exit 3"
    with pytest.raises(ToolError, match=r"tool: x\.v:1: ERROR: no such wire; log: ") as caught:
        run("tool", ["/bin/sh", "-c", script], tmp_path, log=tmp_path / "tool.log")
    assert str(caught.value).endswith(str(tmp_path / "tool.log"))
    log = (tmp_path / "tool.log").read_text()
    assert "a warning about error\nx.v:1: ERROR: no such wire\n# ended with status 3" in log


def test_log_without_a_place_is_kept_where_temporary_files_are(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run("tool", ["/bin/true"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ToolError, match=r"log: .*/tool-.*\.log$"):
        run("tool", ["/bin/false"], tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


def test_missing_program_is_one_line(tmp_path):
    with pytest.raises(ToolError, match="tool: cannot start /no/such: No such file or directory"):
        run("tool", ["/no/such"], tmp_path)


def test_time_limit_ends_the_tool_and_its_children(tmp_path):
    with pytest.raises(ToolError, match=r"tool: took over 1 s and was ended; log: "):
        run("tool", python(CHILDREN.format(seconds=60)), tmp_path, log=tmp_path / "log", limit_s=1)
    (child,) = (int(line) for line in (tmp_path / "log").read_text().splitlines() if line.isdigit())
    wait_for(lambda: not is_alive(child))


def test_children_do_not_outlive_the_tool(tmp_path):
    child = int(run("tool", python(CHILDREN.format(seconds=0)), tmp_path).stdout)
    wait_for(lambda: not is_alive(child))


def test_tool_that_ignores_the_request_is_killed(tmp_path):
    code = "import signal, time; signal.signal(15, 1); print(1, flush=True); time.sleep(60)"
    with Process("tool", python(code), tmp_path, log=tmp_path / "log") as tool:
        wait_for(lambda: "1" in tool.keep_log().read_text().splitlines())
        begin = time.monotonic()
    assert not tool.is_running
    assert time.monotonic() - begin < 20


def test_interrupted_threads_end_their_tools_and_begin_no_others(tmp_path):
    def work(number: int) -> None:
        for part in range(2):
            code = f"import time; open('{number}-{part}', 'w'); time.sleep(60)"
            run("tool", python(code), tmp_path, log=tmp_path / f"log{number}")

    def interrupt() -> None:
        with ToolThreads(2) as pool:
            jobs.extend(pool.submit(work, number) for number in range(5))
            wait_for(lambda: (tmp_path / "0-0").exists() and (tmp_path / "1-0").exists())
            raise KeyboardInterrupt

    jobs: list[Future[None]] = []
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert time.monotonic() - begin < 30
    assert all(job.done() for job in jobs)
    assert {path.name for path in tmp_path.glob("?-?")} == {"0-0", "1-0"}
