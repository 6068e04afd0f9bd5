"""The user's own data: tables, arrays and folders of pictures, read, checked and divided."""

from axnn.data.own.own_data import OwnData

__all__ = ["OwnData"]
