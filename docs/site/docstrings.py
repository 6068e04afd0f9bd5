"""Extension of Griffe: reads this project's sections `name : description`.

Griffe takes what stands behind the colon for a type. Types are in the signatures here, so that the
description is moved to a line of its own, where Griffe expects it.
"""

import re
from typing import Any

from griffe import Extension, Object

_ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \w+)*) : (?P<text>\S.*)$")
_LISTS = ("Parameters", "Attributes")


class PlainSections(Extension):
    """Rewrites docstrings before they are parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite an object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = separated(obj.docstring.value)


def separated(text: str) -> str:
    """A docstring with the descriptions of parameters and attributes on lines of their own."""
    lines = text.splitlines()
    inside = False
    done: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and set(below) == {"-"}:
            inside = line in _LISTS
        match = _ENTRY.match(line) if inside else None
        done += [match["names"], f"    {match['text']}"] if match else [line]
    return "\n".join(done)
