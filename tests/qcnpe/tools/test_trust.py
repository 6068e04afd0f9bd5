"""Users from whom a cached program may come."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from qcnpe.spec.errors import ToolError
from qcnpe.tools.trust import is_trusted, require_trusted


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file of this user."""
    path = tmp_path / "program"
    path.touch()
    return path


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_own_program_is_trusted(program, mode):
    program.chmod(mode)
    assert is_trusted(program)


@pytest.mark.parametrize("mode", [0o757, 0o777])
def test_program_that_everybody_can_write_is_not(program, mode):
    program.chmod(mode)
    with pytest.raises(ToolError, match="others can write this program, so that it is not run"):
        require_trusted(program)


@pytest.mark.parametrize(
    ("name", "members", "trusted"),
    [("me", [], True), ("me", ["me"], True), ("me", ["you"], False), ("staff", [], False)],
)
def test_group_that_is_the_user_alone_may_write(program, monkeypatch, name, members, trusted):
    program.chmod(0o775)
    group = program.stat().st_gid
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name="me", pw_gid=group))
    found = SimpleNamespace(gr_name=name, gr_mem=members)
    monkeypatch.setattr("grp.getgrgid", lambda _: found)
    assert is_trusted(program) is trusted


def test_program_of_another_user_is_not(program, monkeypatch):
    program.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(program, 4242, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 4242)
    assert not is_trusted(program)
