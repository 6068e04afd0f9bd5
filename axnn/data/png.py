"""PNG pictures in colour, decoded by Pillow."""

import io

import numpy as np
from numpy.typing import NDArray

from axnn.errors import DataError
from qcnpe.tools.extras import require_modules


def decode_png(content: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode a colour picture.

    Parameters
    ----------
    content : the whole file
    shape : (height, width) that it must have; compared before the pixels are decoded

    Returns
    -------
    uint8 (height, width, 3).

    Raises
    ------
    ToolMissingError
        If Pillow is not installed.
    DataError
        If the file is not a colour PNG picture of this size.
    """
    require_modules("PIL")
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            found = (picture.height, picture.width)
            if found != shape or picture.mode != "RGB":
                raise DataError(f"PNG picture must be RGB {shape}, not {picture.mode} {found}")
            return np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"PNG picture is damaged ({error})") from error
