"""Downloads over HTTP that go on where they broke off, and end whatever the server does."""

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
        If the server cannot be reached, refuses, redirects to where it must not, sends too much or
        too slowly, stops early, or says what is no HTTP.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    with _open(url, part, have) as response:
        _receive(response, part, have, limit_bytes, progress)
    part.replace(path)


def _open(url: str, part: Path, have: int) -> http.client.HTTPResponse:
    """The server's answer, from the byte on that the part has not."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = paced_opener(Pace()).open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # longer than the file: it is that of another one
        raise DataError(f"{url}: refused with status {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: {_reason(error)}") from None
    except ValueError as error:  # an address that is none, of a redirection
        raise DataError(f"{url}: answers with what is no address ({error})") from None
    return cast(http.client.HTTPResponse, response)


def _reason(error: Exception) -> str:
    """What went wrong on the line."""
    return str(getattr(error, "reason", None) or error or type(error).__name__)


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
    elif not response.headers.get("Content-Range", f"bytes {have}-").startswith(f"bytes {have}-"):
        part.unlink(missing_ok=True)
        raise DataError(f"{response.url}: goes on at another place than asked for; try again")
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
        raise DataError(f"{response.url}: broke off at {have} of {total} bytes")


def _length(response: http.client.HTTPResponse) -> int | None:
    """Bytes that the server says it sends; None if it does not say."""
    said = response.headers.get("Content-Length")
    if said is None:
        return None
    if not re.fullmatch(r"\d{1,18}", said, re.ASCII):
        raise DataError(f"{response.url}: says a length of {said[:40]!r}")
    return int(said)


def _read(response: http.client.HTTPResponse) -> bytes:
    """The next bytes, as they come; what goes wrong on the line is no error of the disk's."""
    try:
        return response.read1(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{response.url}: {_reason(error)}") from None
