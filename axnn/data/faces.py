"""Face or not: windows of the ORL pictures, and CIFAR-10 pictures in grey as the other class."""

import numpy as np
from numpy.typing import NDArray

from axnn.data.catalog import CIFAR10, ORL
from axnn.data.fetch import read_collection
from axnn.data.labels import Classes
from axnn.data.parts import DataSet, Split

_SIDE = 32
_WINDOWS = 4
"""Windows of each picture of a face, of random sizes and places: a face is rarely centred."""

_SMALLEST_WINDOW = 76
_TEST_PEOPLE = 10
_VALIDATION_PEOPLE = 10
_TEST_SEED = 0
"""The test part is the same for every seed of a run."""

_CLASSES = Classes(("other", "face"))

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601


def load_faces(seed: int) -> DataSet:
    """Faces (class 1) and as many other pictures (class 0), 32x32 pixels in [0, 1].

    Faces of 20 people are for training, of 10 for validation and of 10 for the test: nobody is in
    two parts. The other pictures of the test part come from the official test part of CIFAR-10.
    1,600, 800 and 800 samples.
    """
    orl, cifar = read_collection(ORL), read_collection(CIFAR10)
    strangers, known = split_people(orl["people"], _TEST_PEOPLE, seed=_TEST_SEED)
    validation, train = split_people(known, _VALIDATION_PEOPLE, seed=seed)
    rng = np.random.default_rng(seed)
    fixed = np.random.default_rng(_TEST_SEED)
    faces = {
        "train": _face_windows(orl, train, rng),
        "validation": _face_windows(orl, validation, rng),
        "test": _face_windows(orl, strangers, fixed),
    }
    counts = [len(faces["train"]), len(faces["validation"])]
    drawn = rng.choice(len(cifar["train_images"]), sum(counts), replace=False)
    others = {
        "train": cifar["train_images"][drawn[: counts[0]]],
        "validation": cifar["train_images"][drawn[counts[0] :]],
        "test": cifar["test_images"][
            fixed.choice(len(cifar["test_images"]), len(faces["test"]), replace=False)
        ],
    }
    parts = {
        name: _join(faces[name], others[name], fixed if name == "test" else rng) for name in faces
    }
    return DataSet(
        name="faces",
        classes=_CLASSES,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
    )


def split_people(
    people: NDArray[np.integer], number: int, *, seed: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """`number` people drawn at random, and the others; each sorted, without repeats."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(people))
    return np.sort(shuffled[:number]), np.sort(shuffled[number:])


def _face_windows(
    orl: dict[str, NDArray[np.uint8]], people: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.float32]:
    """(windows, side, side) of the pictures of these people."""
    pictures = orl["images"][np.isin(orl["people"], people)]
    height, width = pictures.shape[1:]
    windows = []
    for picture in np.repeat(pictures, _WINDOWS, axis=0):
        side = int(rng.integers(_SMALLEST_WINDOW, min(height, width) + 1))
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        windows.append(_shrink(picture[top : top + side, left : left + side]))
    return np.stack(windows)


def _shrink(window: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A square window at the network's size; each pixel is the mean of the area it covers."""
    share = _area_shares(len(window))
    return (share @ window @ share.T / 255).astype(np.float32)


def _area_shares(side: int) -> NDArray[np.float64]:
    """(small, large) share of each large pixel in the mean of a small one, along one axis."""
    edges = np.linspace(0, side, _SIDE + 1)
    start, end = np.arange(side), np.arange(1, side + 1)
    overlap = np.minimum(edges[1:, None], end) - np.maximum(edges[:-1, None], start)
    return np.maximum(overlap, 0) * _SIDE / side


def _join(faces: NDArray[np.float32], colour: NDArray[np.uint8], rng: np.random.Generator) -> Split:
    """Faces and as many other pictures, (samples, 1, side, side), in random order."""
    grey = np.einsum("nchw,c->nhw", colour.astype(np.float32), _LUMINANCE) / 255
    grey = np.minimum(grey, 1)  # white may have been rounded up
    inputs = np.concatenate([faces, grey])[:, None].astype(np.float32)
    labels = np.repeat(np.array([1, 0], np.int64), [len(faces), len(grey)])
    order = rng.permutation(len(labels))
    return Split(inputs[order], labels[order])
