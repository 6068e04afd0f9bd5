"""One writer a folder, and whom a cached program may come from."""

import os
import subprocess
import sys

import pytest

from qcnpe.spec.errors import BusyError
from qcnpe.tools.lock import only_writer
from qcnpe.tools.trust import is_trusted

HOLDER = """
import sys
from pathlib import Path
from qcnpe.tools.lock import only_writer
with only_writer(Path("out")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_writer_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        busy = pytest.raises(BusyError, match="out: another command is writing here")
        with busy, only_writer(tmp_path / "out"):
            pass
        holder.kill()
    with only_writer(tmp_path / "out"):  # a killed one leaves nothing locked
        pass


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_own_program_is_trusted(tmp_path, mode):
    program = tmp_path / "program"
    program.touch()
    program.chmod(mode)
    assert is_trusted(program)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_program_that_others_can_write_is_not(tmp_path, mode):
    program = tmp_path / "program"
    program.touch()
    program.chmod(mode)
    assert not is_trusted(program)


def test_program_of_another_user_is_not(tmp_path, monkeypatch):
    program = tmp_path / "program"
    program.touch()
    if os.geteuid() == 0:
        os.chown(program, 4242, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 4242)
    assert not is_trusted(program)
