"""IDX files: arrays of bytes behind a big-endian header of sizes.

Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database, "File formats".
"""

from math import prod

import numpy as np
from numpy.typing import NDArray

from axnn.errors import DataError

_UNSIGNED_BYTE = 8


def decode_idx(content: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode a file of unsigned bytes.

    Parameters
    ----------
    content : the whole file
    shape : that it must have

    Returns
    -------
    uint8, in the shape asked for.

    Raises
    ------
    DataError
        If the header is not that of such an array, or the file's length does not match it.
    """
    header = bytes([0, 0, _UNSIGNED_BYTE, len(shape)])
    header += b"".join(size.to_bytes(4, "big") for size in shape)
    found = content[: len(header)]
    if found != header:
        raise DataError(f"IDX header must be {header.hex()} for {shape}, not {found.hex()}")
    expected = prod(shape)
    if len(content) - len(header) != expected:
        raise DataError(
            f"IDX file must hold {expected} bytes after its header, not"
            f" {len(content) - len(header)}"
        )
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
