"""The user's pictures: a folder with a folder for each class, decoded by Pillow."""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from axnn.data.columns import Rows
from axnn.data.own.division import PART_NAMES, Labelled
from axnn.data.own.source import MAX_CLASSES, NO_LABEL, Measured, check_values
from axnn.data.scaling import Scaling
from axnn.errors import DataError
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import read_limited
from qcnpe.tools.extras import require_modules

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp")
"""Endings of the names of pictures; other files are left out."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "WEBP")

MAX_BYTES = 1 << 25
MAX_PIXELS = 1 << 24
"""Limits on a picture: size of its file, and decoded pixels."""

MAX_FILES = 1 << 20
"""Most files of a folder."""

LARGEST_SIDE, USUAL_SIDE = 64, 32
"""Pictures of one size, at most the first, keep it; others become squares of the second."""

_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for damaged pictures."""

_GREY = ("1", "L", "LA", "I", "I;16", "I;16B")


@dataclass(frozen=True)
class PictureFile:
    """A picture, its class, and its part, if the folder is divided into parts."""

    path: Path
    label: str
    part: str | None


@dataclass(frozen=True, eq=False)
class PictureSource:
    """Decoded pictures; a `Source`.

    Attributes
    ----------
    inputs : uint8 (samples, channels, height, width)
    labelled : labels and parts
    read_notes : what the user should know about how they were read
    """

    inputs: NDArray[np.uint8]
    labelled: Labelled
    read_notes: tuple[str, ...]

    def measure(self, train: Rows) -> Measured:
        """All pictures; the scaling of bytes is fixed, nothing is learnt."""
        return Measured(self.inputs, byte_scaling(self.inputs.shape[1]), notes=self.read_notes)


def byte_scaling(channels: int) -> Scaling:
    """Bytes of pictures: grey ones keep their zeros (0 to 1), colours are centred (-1 to 1)."""
    if channels == 1:
        return Scaling((0.0,), (255.0,))
    return Scaling((127.5,) * channels, (127.5,) * channels)


def read_pictures(
    path: Path, *, side: int | None = None, unlabelled: bool = False
) -> PictureSource:
    """The pictures of a folder; they are grey if all of them are.

    Parameters
    ----------
    path : a folder with a folder for each class; or with folders train, test and perhaps
        validation, each of which has a folder for each class
    side : height and width that pictures are resized to; None: their own if all have the same one
        of at most `LARGEST_SIDE`, else `USUAL_SIDE`
    unlabelled : whether the pictures have no classes: all of the folder and of the folders in it
        are read

    Raises
    ------
    FormatError
        If the folder is missing, or a picture damaged or too large.
    DataError
        If the folder holds no classes.
    """
    require_modules("PIL")
    files, notes = find_pictures(path, unlabelled=unlabelled)
    sizes, grey = _survey(files)
    height, width = _common_size(sizes, side)
    channels = 1 if grey else 3
    check_values(len(files), channels * height * width, str(path))
    inputs = np.empty((len(files), channels, height, width), np.uint8)
    transparent = []
    for number, file in enumerate(files):
        inputs[number], seen_through = _decode(file.path, grey=grey, size=(height, width))
        transparent += [file.path] * seen_through
    if transparent:
        notes = (
            *notes,
            f"{len(transparent):,} pictures are transparent in places, which is left out, such as"
            f" {transparent[0]}",
        )
    if sizes != {(height, width)}:
        notes = (*notes, f"pictures are resized to {height} x {width} pixels")
    given = None
    if files[0].part is not None:
        given = np.array([file.part for file in files], np.str_)
    labels = np.array([file.label for file in files])
    if unlabelled:
        labels = np.full(len(files), NO_LABEL)
    return PictureSource(inputs, Labelled(labels, given=given), notes)


def find_pictures(
    path: Path, *, unlabelled: bool = False
) -> tuple[list[PictureFile], tuple[str, ...]]:
    """All pictures of a folder in the order of their names, and a note on what is left out."""
    if not path.is_dir():
        raise FormatError(f"{path}: no such folder; give one with a folder of pictures a class")
    folders = _folders(path)
    if unlabelled:
        return _find_unlabelled(path, folders)
    parts = {each.name.lower() for each in folders}
    divided = bool(folders) and parts <= PART_NAMES.keys() and len(folders) > 1
    found: list[PictureFile] = []
    others: list[Path] = []
    for part in folders if divided else [None]:
        for label in _folders(part or path):
            for file in _entries(label):
                picture = PictureFile(file, label.name, part.name if part else None)
                if file.suffix.lower() in SUFFIXES and not file.is_dir():
                    found.append(picture)
                else:
                    others.append(file)
                if len(found) + len(others) > MAX_FILES:
                    raise DataError(f"{path}: more than {MAX_FILES:,} files; give fewer")
    _check_found(path, found, parts)
    if not others:
        return found, ()
    return found, (f"{len(others):,} files are not pictures and are left out, such as {others[0]}",)


def _find_unlabelled(
    path: Path, folders: Iterable[Path]
) -> tuple[list[PictureFile], tuple[str, ...]]:
    """All pictures of a folder and of the folders in it."""
    found = [
        PictureFile(file, "", None)
        for folder in (path, *folders)
        for file in _entries(folder)
        if file.suffix.lower() in SUFFIXES and not file.is_dir()
    ]
    if not found:
        raise DataError(f"{path}: holds no pictures ({', '.join(SUFFIXES)}); add some")
    if len(found) > MAX_FILES:
        raise DataError(f"{path}: more than {MAX_FILES:,} files; give fewer")
    return found, ()


def _check_found(path: Path, found: Iterable[PictureFile], folders: set[str]) -> None:
    labels = {picture.label for picture in found}
    besides = sorted(folders - PART_NAMES.keys())
    if not labels and besides and {"train", "test"} <= folders:
        raise DataError(
            f"{path}: holds the folders train and test, and {besides[0]!r} besides; move that"
        )
    if not labels:
        raise DataError(
            f"{path}: holds no folders with pictures ({', '.join(SUFFIXES)}); give it a folder of"
            " pictures for each class"
        )
    if len(labels) > MAX_CLASSES:
        raise DataError(f"{path}: {len(labels):,} folders are more than {MAX_CLASSES:,} classes")


def _entries(folder: Path) -> list[Path]:
    """The entries of a folder sorted by name, without hidden files."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return [folder / name for name in names]


def _folders(path: Path) -> list[Path]:
    return [entry for entry in _entries(path) if entry.is_dir()]


def _survey(files: Iterable[PictureFile]) -> tuple[set[tuple[int, int]], bool]:
    """All sizes (height, width) of the upright pictures, and whether all are grey."""
    sizes, grey = set(), True
    for file in files:
        with _opened(file.path) as picture:
            size = (picture.height, picture.width)
            sizes.add(size[::-1] if _is_lying(picture) else size)
            grey = grey and picture.mode in _GREY
    return sizes, grey


_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
_PHOTOGRAPHS = ("JPEG", "WEBP")
"""The EXIF field of the camera's orientation, its values for a quarter turn, and the formats that
cameras write."""


def _is_lying(picture: "Image.Image") -> bool:
    """Whether width and height are exchanged when the picture is turned upright."""
    return picture.format in _PHOTOGRAPHS and picture.getexif().get(_ORIENTATION) in _LYING


def _common_size(sizes: set[tuple[int, int]], side: int | None) -> tuple[int, int]:
    if side is not None:
        return side, side
    if len(sizes) == 1 and max(size := next(iter(sizes))) <= LARGEST_SIDE:
        return size
    return USUAL_SIDE, USUAL_SIDE


def _decode(path: Path, *, grey: bool, size: tuple[int, int]) -> tuple[NDArray[np.uint8], bool]:
    """A picture's bytes (channels, height, width), upright, resized to the size.

    The second result is whether the picture is transparent in places.
    """
    from PIL import Image, ImageOps

    with _opened(path) as picture:
        is_photograph = picture.format in _PHOTOGRAPHS
        upright = ImageOps.exif_transpose(picture) if is_photograph else picture
        plain = _eight_bits(upright) if upright.mode in _GREY else upright
        plain = plain if grey else plain.convert("RGB")
        if (plain.height, plain.width) != size:
            plain = plain.resize(size[::-1], Image.Resampling.BILINEAR)
        pixels, transparent = np.asarray(plain, np.uint8), _is_transparent(upright)
    return (pixels[None] if grey else pixels.transpose(2, 0, 1)), transparent


def _is_transparent(picture: "Image.Image") -> bool:
    """Whether a pixel of a picture of 8 bits is not opaque."""
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    if not has_alpha or picture.mode.startswith("I"):
        return False
    return bool(np.asarray(picture.convert("RGBA").getchannel("A")).min() < 255)


def _eight_bits(picture: "Image.Image") -> "Image.Image":
    """A grey picture of 8 bits: of 16 bits, the upper 8."""
    from PIL import Image

    if picture.mode.startswith("I"):
        wide = np.asarray(picture).astype(np.int64)
        return Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
    return picture.convert("L")


@contextmanager
def _opened(path: Path) -> "Iterator[Image.Image]":
    """The picture in a file, its size checked before it is decoded; damage is a `FormatError`."""
    from PIL import Image

    content = read_limited(path, MAX_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is refused, or read as far as it goes
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise FormatError(
                        f"{path}: {picture.width} x {picture.height} pixels are more than"
                        f" {MAX_PIXELS:,}; make it smaller"
                    )
                yield picture
        except (*_DAMAGE, Image.DecompressionBombError) as error:
            raise FormatError(
                f"{path}: is a damaged picture ({' '.join(str(error).split())[:200]}); correct it"
                " or leave it out"
            ) from error
