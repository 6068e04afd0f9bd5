"""Fetching: routes are tried in turn until a collection is verified, which is then cached."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from axnn.data.archives import read_members
from axnn.data.collection import Arrays, Collection, Route
from axnn.errors import DataError
from qcnpe.spec.errors import FormatError
from qcnpe.spec.npz import ArrayType, read_npz, write_npz
from qcnpe.tools.cache import user_cache

_KIND = "axnn-data-1"

_HEADERS_BYTES = 1 << 20
"""Bytes allowed in a file besides the elements of arrays."""

Notify = Callable[[str], None]
"""Called with a few words about what is being done."""


@dataclass(frozen=True)
class _Header:
    """What a collection's file says besides its arrays."""

    name: str


def cache_folder() -> Path:
    """Where collections are kept: $XDG_CACHE_HOME/axnn/data or ~/.cache/axnn/data."""
    return user_cache("data")


def cache_path(collection: Collection) -> Path:
    """Where a collection is kept."""
    return cache_folder() / f"{collection.name}.npz"


def read_collection(collection: Collection) -> Arrays:
    """The collection's arrays from the cache.

    Raises
    ------
    DataError
        If they are missing or damaged; the message says what to do.
    """
    path = cache_path(collection)
    if not path.exists():
        raise DataError(
            f"the {collection.name} data are not on this machine; run `axnn fetch all` (or name"
            " the application) while it is connected"
        )
    try:
        types = {
            name: ArrayType(np.dtype(facts.dtype).type, facts.shape)
            for name, facts in collection.arrays.items()
        }
        limit = collection.stored_bytes + _HEADERS_BYTES
        _, arrays = read_npz(path, _KIND, _Header, lambda _: types, limit_bytes=limit)
        collection.check(arrays)
    except FormatError as error:
        raise DataError(f"{error}: delete it and run `axnn fetch` again") from error
    except DataError as error:
        raise DataError(f"{path}: {error}; delete it and run `axnn fetch` again") from error
    return arrays


def fetch(collection: Collection, notify: Notify | None = None) -> bool:
    """Fetch a collection into the cache unless it is there; returns whether it was fetched.

    Files that an earlier attempt, or the user, has put into the download folder are used first.
    They are deleted once the collection is complete.

    Raises
    ------
    DataError
        If every route fails; the message says why and what the user can do.
    """
    if cache_path(collection).exists():
        read_collection(collection)
        return False
    say = notify or (lambda _: None)
    folder = cache_folder() / "downloads" / collection.name
    _check_space(collection)
    arrays = _first_success(collection, folder, say)
    say("storing")
    write_npz(cache_path(collection), _KIND, _Header(collection.name), arrays)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _first_success(collection: Collection, folder: Path, say: Notify) -> Arrays:
    reasons = []
    for route in sorted(collection.routes, key=lambda route: not route.origin.present(folder)):
        try:
            return _follow(collection, route, folder, say)
        except DataError as error:
            reasons.append(str(error))
    hints = " or with ".join(route.origin.hint for route in collection.routes)
    raise DataError(
        f"{collection.name} could not be fetched: {'; '.join(reasons)}. Connect and run `axnn"
        f" fetch` again, or fill {folder} from {hints}"
    )


def _follow(collection: Collection, route: Route, folder: Path, say: Notify) -> Arrays:
    """Get the files, decode and verify them; files that turn out to be wrong are deleted."""

    def tell(done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.0f}" if total else ""
        say(f"{done / 1e6:.0f}{of} MB")

    folder.mkdir(parents=True, exist_ok=True)
    if not route.origin.present(folder):
        say(route.origin.hint)
        route.origin.obtain(folder, tell)
    paths = route.origin.present(folder)
    say("decoding")
    try:
        route.origin.verify(folder)
        members: dict[str, bytes] = {}
        for path in paths:
            members |= read_members(path, route.pattern)
        arrays = route.decode(members)
        collection.check(arrays)
    except DataError:
        for path in paths:
            path.unlink(missing_ok=True)
        raise
    return arrays


def _check_space(collection: Collection) -> None:
    """Raise `DataError` before anything is downloaded if the disk lacks space."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    needed = 3 * collection.stored_bytes  # at most the archive, its members and the cached file
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: {collection.name} needs {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are"
            " free; make room or set XDG_CACHE_HOME"
        )
