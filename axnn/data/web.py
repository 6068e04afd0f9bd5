"""Downloads over HTTP that resume where they were interrupted, in bounded time and size."""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import cast

from axnn.data.pace import Pace, paced_opener
from axnn.errors import DataError

TIMEOUT_SECONDS = 5.0
"""Silence after which an address counts as unreachable, so that the next route gets its turn."""

_CHUNK_BYTES = 1 << 20
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416

ByteProgress = Callable[[int, int | None], None]
"""Called with the bytes so far and, if the server gives it, the total."""


def download(
    url: str, path: Path, *, limit_bytes: int, progress: ByteProgress | None = None
) -> None:
    """Download a file; it appears under its name only when it is complete.

    A download resumes from the file of an interrupted one, whose name ends in .part.

    Parameters
    ----------
    url : where the file is
    path : where it goes
    limit_bytes : size above which the file is refused
    progress : called for every chunk

    Raises
    ------
    DataError
        If the server cannot be reached, refuses, redirects to an address that is not allowed, sends
        too much, too little or too slowly, or does not speak HTTP.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    with _open(url, part, have) as response:
        _receive(response, part, have, limit_bytes, progress)
    part.replace(path)


def _open(url: str, part: Path, have: int) -> http.client.HTTPResponse:
    """The server's response, which begins with the first byte that the part lacks."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = paced_opener(Pace()).open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # longer than the file, so that it is part of another one
        raise DataError(f"{url}: refused with status {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: {_reason(error)}") from None
    except ValueError as error:
        raise DataError(f"{url}: redirects to an invalid address ({error})") from None
    return cast(http.client.HTTPResponse, response)


def _reason(error: Exception) -> str:
    """Why a connection failed."""
    return str(getattr(error, "reason", None) or error or type(error).__name__)


def _receive(
    response: http.client.HTTPResponse,
    part: Path,
    have: int,
    limit_bytes: int,
    progress: ByteProgress | None,
) -> None:
    """Append to the part, or start it again if the server sends the whole file."""
    if response.status != _PARTIAL_CONTENT:
        have = 0
    elif not response.headers.get("Content-Range", f"bytes {have}-").startswith(f"bytes {have}-"):
        part.unlink(missing_ok=True)
        raise DataError(f"{response.url}: sends another range than was requested; try again")
    length = _length(response)
    total = None if length is None else have + length
    if total is not None and total > limit_bytes:
        raise DataError(f"{response.url}: {total} bytes are more than the {limit_bytes} expected")
    with part.open("ab" if have else "wb") as file:
        while chunk := _read(response):
            have += len(chunk)
            if have > limit_bytes:
                raise DataError(f"{response.url}: sends more than {limit_bytes} bytes")
            file.write(chunk)
            if progress is not None:
                progress(have, total)
    if total is not None and have < total:
        raise DataError(f"{response.url}: the connection ended after {have} of {total} bytes")


def _length(response: http.client.HTTPResponse) -> int | None:
    """Content-Length of the response; None if it has none."""
    said = response.headers.get("Content-Length")
    if said is None:
        return None
    if not re.fullmatch(r"\d{1,18}", said, re.ASCII):
        raise DataError(
            f"{response.url}: Content-Length must be digits, at most 18, not {said[:40]!r}"
        )
    return int(said)


def _read(response: http.client.HTTPResponse) -> bytes:
    """The next bytes; an error of the connection is not taken for one of the disk."""
    try:
        return response.read1(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{response.url}: {_reason(error)}") from None
