"""Every data set by name: its loader, and the collections that it is made from."""

from collections.abc import Callable
from functools import lru_cache

from axnn.data.catalog import ADULT, CIFAR10, FASHION_MNIST, LETTER, MNIST, ORL
from axnn.data.census import load_adult
from axnn.data.collection import Collection
from axnn.data.digits8x8 import load_digits8x8
from axnn.data.faces import load_faces
from axnn.data.letters import load_letter
from axnn.data.own import OwnData
from axnn.data.parts import DataSet
from axnn.data.pictures import load_cifar10, load_fashion_mnist, load_mnist
from axnn.errors import DataError

LOADERS: dict[str, Callable[[int], DataSet]] = {
    "digits8x8": load_digits8x8,
    "mnist": load_mnist,
    "fashion_mnist": load_fashion_mnist,
    "cifar10": load_cifar10,
    "faces": load_faces,
    "adult": load_adult,
    "letter": load_letter,
}
"""Loader of each data set; its argument seeds the split."""

_NEEDS: dict[str, tuple[Collection, ...]] = {
    "mnist": (MNIST,),
    "fashion_mnist": (FASHION_MNIST,),
    "cifar10": (CIFAR10,),
    "faces": (ORL, CIFAR10),
    "adult": (ADULT,),
    "letter": (LETTER,),
}


def load(name: str | OwnData, *, seed: int) -> DataSet:
    """Load a data set by name, or the user's own.

    The latest one stays in memory for the steps that follow.
    """
    if isinstance(name, OwnData):
        return name.load(seed)
    if name not in LOADERS:
        raise DataError(f"data set must be one of {', '.join(LOADERS)}, not {name!r}")
    return _load(LOADERS[name], seed)


@lru_cache(maxsize=1)
def _load(loader: Callable[[int], DataSet], seed: int) -> DataSet:
    return loader(seed)


def needs(name: str | OwnData) -> tuple[Collection, ...]:
    """The collections that a data set is made from; none if it needs no fetching."""
    return () if isinstance(name, OwnData) else _NEEDS.get(name, ())
