"""Tables of text: one record a line, its fields separated by commas."""

import re

from axnn.errors import DataError


def decode_records(content: bytes, *, records: int, fields: int) -> list[list[str]]:
    """Decode a table.

    Parameters
    ----------
    content : the whole file; blank lines and lines that begin with | are not records
    records, fields : number of records, and of fields in each, that the table must have

    Returns
    -------
    The fields of each record, without the blanks around them.

    Raises
    ------
    DataError
        If it is not ASCII text of this size; the message names the record.
    """
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"table is not ASCII text at byte {error.start}") from None
    found = [
        [field.strip() for field in line.split(",")]
        for line in lines
        if line.strip() and not line.startswith("|")
    ]
    if len(found) != records:
        raise DataError(f"table must have {records} records, not {len(found)}")
    for number, record in enumerate(found, 1):
        if len(record) != fields:
            raise DataError(f"record {number} must have {fields} fields, not {len(record)}")
    return found


def decode_integer(field: str, low: int, high: int) -> int:
    """The integer in a field; `DataError` if there is none, or it is not in low..high."""
    if not re.fullmatch(r"-?[0-9]{1,18}", field):
        raise DataError(f"field must be an integer, not {field[:40]!r}")
    value = int(field)
    if not low <= value <= high:
        raise DataError(f"field must be {low}..{high}, not {value}")
    return value
