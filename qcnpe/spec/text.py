"""Foreign text, from files, tools, servers and boards, made safe to show."""

import re

_UNSAFE = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]"  # a terminal's sequence, whole
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # one that sets a title or a link
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # all other control characters but tab and line feed
    r"|[\u200e\u200f\u2028-\u202e\u2066-\u2069]"  # what turns the direction or ends a line
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def printable(text: str) -> str:
    """Text without sequences that move a terminal's cursor, colour its text or reorder it.

    Characters that cannot be encoded, such as a byte of a file's name that is not UTF-8, are
    replaced.
    """
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _UNSAFE.sub("", text))
