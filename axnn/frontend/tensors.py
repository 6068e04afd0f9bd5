"""Constants of ONNX files; their data may lie in the file or beside it, in the model's folder.

Sizes are computed from the dimensions that a file states, and compared with what it holds, before
an array is made.
"""

from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from axnn.frontend.graph import Array, shown, text_of
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import checked_size

_MAX_AXES = 8


class TensorReader:
    """Reads the constants of one file.

    Parameters
    ----------
    path : of the file
    limit_bytes : of all data beside it, and of each constant
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        import onnx

        self._path, self._onnx = path, onnx
        self._limit_bytes = self._left = limit_bytes

    def read(self, tensor: Any) -> Array:
        """The values of a tensor, into which data from beside the file are put.

        Strings, such as the names of classes, are left out.

        Raises
        ------
        FormatError
            If its data are not what its dimensions say, or lie where they must not.
        """
        where = f"{self._path}: constant {shown(text_of(tensor.name))!r}"
        shape, types = tuple(tensor.dims), self._onnx.TensorProto
        if len(shape) > _MAX_AXES or any(size < 0 for size in shape):
            raise FormatError(f"{where} has a shape of {len(shape)} axes; export it again")
        if tensor.data_type == types.STRING:
            return np.zeros(0, np.str_)
        try:
            dtype = self._onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        except (KeyError, TypeError) as error:
            raise FormatError(f"{where} is of the unknown type {tensor.data_type}") from error
        if prod(shape) * dtype.itemsize > self._limit_bytes:
            raise FormatError(f"{where} is larger than {self._limit_bytes} bytes")
        if tensor.data_location == types.EXTERNAL:
            tensor.raw_data = self._external(tensor, where, prod(shape) * dtype.itemsize)
            tensor.ClearField("data_location")
            tensor.ClearField("external_data")
        try:
            found: Array = self._onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise FormatError(f"{where} does not hold what its shape {shape} says") from error
        return found

    def _external(self, tensor: Any, where: str, size: int) -> bytes:
        """Data of a tensor out of a file beside the model."""
        entries = {text_of(entry.key): text_of(entry.value) for entry in tensor.external_data}
        file = self._beside(entries.get("location", ""), where)
        try:
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        except ValueError as error:
            raise FormatError(f"{where} has an offset or a length that is no number") from error
        if length != size or not 0 <= offset <= checked_size(file, self._limit_bytes) - size:
            raise FormatError(f"{where} does not lie within {file.name}; export it again")
        self._left -= size
        if self._left < 0:
            raise FormatError(
                f"{self._path}: has more than {self._limit_bytes} bytes beside it, too many"
            )
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def _beside(self, location: str, where: str) -> Path:
        """A file in the model's folder or below it; no link is followed."""
        parts = PurePosixPath(location).parts
        plain = location and "\\" not in location and "\0" not in location and ".." not in parts
        if not plain or PurePosixPath(location).is_absolute():
            raise FormatError(f"{where} lies outside the model's folder, which is not read")
        file = self._path.parent
        for part in parts:
            file = file / part
            if file.is_symlink():
                raise FormatError(f"{where} lies behind the link {shown(part)}, not followed")
        return file
