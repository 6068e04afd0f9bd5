"""Downloads over HTTP that go on where they broke off."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from axnn.errors import DataError

TIMEOUT_SECONDS = 5.0
"""Silence after which an address counts as unreachable, so that the next route gets its turn."""

_CHUNK_BYTES = 1 << 20
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416

ByteProgress = Callable[[int, int | None], None]
"""Told the bytes so far and, where the server says it, the bytes in all."""


def download(
    url: str, path: Path, *, limit_bytes: int, progress: ByteProgress | None = None
) -> None:
    """Download a file; it appears under its name only when it is whole.

    What an interrupted download left behind, in a file beside it whose name ends in .part, is
    asked for no more.

    Parameters
    ----------
    url : where the file is
    path : where it goes
    limit_bytes : size above which the file is refused before it is written
    progress : told of every chunk

    Raises
    ------
    DataError
        If the server cannot be reached, refuses, sends too much, or stops early.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            _receive(response, part, have, limit_bytes, progress)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE:
            part.unlink()  # longer than the file: it is that of another one
        raise DataError(f"{url}: refused with status {error.code}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise DataError(f"{url}: {getattr(error, 'reason', error)}") from None
    part.replace(path)


def _receive(
    response: http.client.HTTPResponse,
    part: Path,
    have: int,
    limit_bytes: int,
    progress: ByteProgress | None,
) -> None:
    """Append to the part, or begin it anew if the server does not go on where it ends."""
    if response.status != _PARTIAL_CONTENT:
        have = 0
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    if total is not None and total > limit_bytes:
        raise DataError(f"{response.url}: {total} bytes are more than the {limit_bytes} expected")
    with part.open("ab" if have else "wb") as file:
        while chunk := response.read(_CHUNK_BYTES):
            have += len(chunk)
            if have > limit_bytes:
                raise DataError(f"{response.url}: sends more than {limit_bytes} bytes")
            file.write(chunk)
            if progress is not None:
                progress(have, total)
    if total is not None and have < total:
        raise DataError(f"{response.url}: broke off at {have} of {total} bytes")
