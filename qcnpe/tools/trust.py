"""Checks that other users cannot have written a cached program, before it is run."""

import grp
import os
import pwd
import stat
from pathlib import Path

from qcnpe.spec.errors import ToolError


def is_trusted(path: Path) -> bool:
    """Whether only this user and root can write a file or folder; follows links."""
    found = path.stat()
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH:
        return False
    return not found.st_mode & stat.S_IWGRP or _is_own_group(found.st_gid)


def _is_own_group(group: int) -> bool:
    """Whether a group contains this user alone: many systems make such a group for each user."""
    try:
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    is_private = user.pw_gid == group and members.gr_name == user.pw_name
    return is_private and set(members.gr_mem) <= {user.pw_name}


def require_trusted(path: Path) -> None:
    """Check a program before it is run.

    Raises
    ------
    ToolError
        If somebody else can write it.
    """
    if not is_trusted(path):
        raise ToolError(f"{path}: others can write this program, so that it is not run; delete it")
