"""Whether a cached program may be run: one that others can write could be anybody's."""

import os
from pathlib import Path

_OTHERS_WRITE = 0o022


def is_trusted(path: Path) -> bool:
    """Whether only this user and root can write a file or folder; follows links."""
    found = path.stat()
    return found.st_uid in (os.geteuid(), 0) and not found.st_mode & _OTHERS_WRITE
