"""Sets of pictures with an official test part: MNIST, Fashion-MNIST, CIFAR-10."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from axnn.data.catalog import CIFAR10, FASHION_MNIST, MNIST
from axnn.data.collection import Collection
from axnn.data.fetch import read_collection
from axnn.data.labels import Classes
from axnn.data.parts import DataSet, Split, stratified_split

_LENET_MARGIN = 2
"""Pixels added around a 28x28 picture (to 32x32), so that LeNet's 5x5 kernels reach its edges."""

_DIGITS = Classes.numbered(10)
_GARMENTS = Classes(
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
     "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
)  # fmt: skip
_OBJECTS = Classes(
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
)
"""The publishers' names of the classes."""

_GREY_VALIDATION = 1 / 6
_COLOUR_VALIDATION = 0.1


def load_mnist(seed: int) -> DataSet:
    """MNIST: 50,000 training, 10,000 validation and the official 10,000 test samples."""
    return _load_grey("mnist", MNIST, _DIGITS, seed)


def load_fashion_mnist(seed: int) -> DataSet:
    """Fashion-MNIST: 50,000 training, 10,000 validation, the official 10,000 test samples."""
    return _load_grey("fashion_mnist", FASHION_MNIST, _GARMENTS, seed)


def load_cifar10(seed: int) -> DataSet:
    """CIFAR-10: 45,000 training, 5,000 validation and the official 10,000 test samples."""

    def scale(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Around zero: a network without normalising layers learns faster from inputs of both signs.
        return images.astype(np.float32) / np.float32(127.5) - np.float32(1)

    return _load("cifar10", CIFAR10, _OBJECTS, seed, _COLOUR_VALIDATION, scale)


def _load_grey(name: str, collection: Collection, classes: Classes, seed: int) -> DataSet:
    def scale(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        margin = (_LENET_MARGIN, _LENET_MARGIN)
        wide = np.pad(images[:, None], ((0, 0), (0, 0), margin, margin))
        return wide.astype(np.float32) / np.float32(255)

    return _load(name, collection, classes, seed, _GREY_VALIDATION, scale)


def _load(
    name: str,
    collection: Collection,
    classes: Classes,
    seed: int,
    validation_share: float,
    scale: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> DataSet:
    """Pictures scaled by `scale`; the validation part is drawn from the official training part."""
    arrays = read_collection(collection)
    inputs, labels = scale(arrays["train_images"]), arrays["train_labels"].astype(np.int64)
    validation, train = stratified_split(inputs, labels, (validation_share,), seed=seed)
    test = Split(scale(arrays["test_images"]), arrays["test_labels"].astype(np.int64))
    return DataSet(name=name, classes=classes, train=train, validation=validation, test=test)
