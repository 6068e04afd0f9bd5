"""The user's cache: what is made once and used from any folder."""

import os
from pathlib import Path


def user_cache(part: str) -> Path:
    """Folder of a part of the cache: $XDG_CACHE_HOME/axnn/part or ~/.cache/axnn/part.

    Parameters
    ----------
    part : name of the part
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "axnn" / part
