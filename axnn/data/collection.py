"""A collection: arrays as their authors published them, and the routes by which to fetch them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data.origins import Origin
from axnn.errors import DataError

Arrays = dict[str, NDArray[Any]]
"""Arrays of a collection, by name."""

Members = Mapping[str, bytes]
"""Contents of files, by name."""


@dataclass(frozen=True)
class ArrayFacts:
    """Type, shape and hash that an array must have.

    Attributes
    ----------
    dtype : name of its type, little-endian
    shape : its shape; the first axis counts the samples
    sha256 : of its elements' bytes, the last axis innermost
    """

    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Route:
    """One way to get a collection.

    Attributes
    ----------
    origin : where its files are
    pattern : regular expression of the names of the files' members that are read
    decode : makes the arrays from the members; raises `DataError` if it cannot
    """

    origin: Origin
    pattern: str
    decode: Callable[[Members], Arrays]


@dataclass(frozen=True)
class Collection:
    """Published arrays.

    Attributes
    ----------
    name : of its file in the cache
    source : who published it
    arrays : type, shape and hash of each array
    routes : in the order in which they are tried
    """

    name: str
    source: str
    arrays: Mapping[str, ArrayFacts]
    routes: tuple[Route, ...]

    @property
    def stored_bytes(self) -> int:
        """Size of all arrays."""
        return sum(
            prod(facts.shape) * np.dtype(facts.dtype).itemsize for facts in self.arrays.values()
        )

    def check(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Raise `DataError` unless these are exactly the collection's arrays."""
        if set(arrays) != set(self.arrays):
            raise DataError(f"{self.name}: arrays must be {sorted(self.arrays)}")
        for name, facts in self.arrays.items():
            array = arrays[name]
            if (array.dtype.name, array.shape) != (facts.dtype, facts.shape):
                raise DataError(
                    f"{self.name}: {name} must be {facts.dtype} {facts.shape}, not"
                    f" {array.dtype.name} {array.shape}"
                )
            if digest(array) != facts.sha256:
                raise DataError(
                    f"{self.name}: {name} is not what was published: its SHA-256 is"
                    f" {digest(array)}, not {facts.sha256}"
                )


def digest(array: NDArray[Any]) -> str:
    """SHA-256 of an array's elements, as little-endian bytes."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(plain.data).hexdigest()


def member(members: Members, ending: str) -> bytes:
    """The one member whose name has this ending; `DataError` if there is none, or several."""
    found = [content for name, content in members.items() if name.endswith(ending)]
    if len(found) != 1:
        raise DataError(f"needs one file {ending}, found {len(found)}")
    return found[0]
