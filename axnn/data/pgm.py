"""PGM files: grey pictures of one byte a pixel.

Source: the format's manual page in Netpbm, pgm(5), binary variant.
"""

import re

import numpy as np
from numpy.typing import NDArray

from axnn.errors import DataError

_SPACE = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P5" + _SPACE + rb"(\d{1,5})" + _SPACE + rb"(\d{1,5})" + _SPACE + rb"255\s")


def decode_pgm(content: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode a picture.

    Parameters
    ----------
    content : the whole file
    shape : (height, width) that it must have

    Returns
    -------
    uint8 (height, width).

    Raises
    ------
    DataError
        If it is not a PGM picture of this size, or pixels are missing or too many.
    """
    header = _HEADER.match(content)
    if header is None:
        raise DataError(f"not a binary PGM picture of 256 greys: it begins {content[:12]!r}")
    width, height = (int(size) for size in header.groups())
    if (height, width) != shape:
        raise DataError(f"PGM picture must be {shape} high and wide, not {(height, width)}")
    if len(content) - header.end() != height * width:
        raise DataError(
            f"PGM picture must have {height * width} pixels, not {len(content) - header.end()}"
        )
    return np.frombuffer(content, np.uint8, offset=header.end()).reshape(shape)
