"""One writer for each folder."""

import subprocess
import sys

import pytest

from qcnpe.spec.errors import BusyError
from qcnpe.tools.lock import only_writer

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
