"""Pictures in which a version control system changed line ends, because it took them for text.

Each byte 10 became the pair 13 10; a pair that was already in the picture stayed as it was. The
file's length says how many pairs are false, but not which ones.
"""

import numpy as np

from axnn.errors import DataError

_PAIR = b"\r\n"


def mend_line_ends(content: bytes, pixels: int, width: int) -> bytes:
    """Undo the change in a PGM file of one byte a pixel; an unchanged file is returned as it is.

    If one pair is true, every pair is tried, and the smoothest picture is taken: a wrong choice
    shifts a part of the picture sideways.

    Parameters
    ----------
    content : the whole file
    pixels : that the picture must have, at the end of the file
    width : pixels in a row

    Raises
    ------
    DataError
        If the number of pixels cannot be explained by at most one true pair.
    """
    if not content.startswith(b"P5\r\n"):
        return content
    pieces = content.split(_PAIR)
    header = b"\n".join(pieces[:3]) + b"\n"  # its three lines end in false pairs
    body = pieces[3:]
    lengths = sum(map(len, body)) + len(body) - 1
    if lengths == pixels:
        return header + b"\n".join(body)
    if lengths + 1 != pixels:
        raise DataError(f"PGM picture must have {pixels} pixels, not {lengths}")
    candidates = [
        b"\n".join(body[:true]) + _PAIR + b"\n".join(body[true:]) for true in range(1, len(body))
    ]
    return header + min(candidates, key=lambda picture: _roughness(picture, width))


def _roughness(picture: bytes, width: int) -> int:
    """Sum of the differences between vertical neighbours."""
    rows = np.frombuffer(picture, np.uint8).reshape(-1, width).astype(np.int64)
    return int(np.abs(np.diff(rows, axis=0)).sum())
