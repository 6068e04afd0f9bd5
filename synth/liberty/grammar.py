"""The grammar of Liberty: text to a tree of groups.

It is small: `name (arguments) { ... }` is a group, `name (arguments);` a complex and
`name : value;` a simple attribute. Real files deviate from it. This reader accepts missing
semicolons at a line's end and extra ones, values without quotes that are expressions or hold
colons, comments of both kinds (not inside strings), continued lines, a byte-order mark, and several
libraries in one file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from synth.errors import LibertyError

MAX_DEPTH = 64
"""Deepest nesting of groups; real files have six levels."""

MAX_STATEMENTS = 4_000_000
"""Most groups and attributes: each takes up to 300 bytes. A library of 400 cells has 300,000."""

MAX_WORDS = 100_000
"""Most words of one attribute; tables have a hundred numbers."""

_TOKEN = re.compile(
    r"""
    (?P<space> (?: [^\S\n]++ | \\[^\S\n]*\n | /\*.*?\*/ | //[^\n]* )++ )
    | (?P<line> \n\s*+ )
    | (?P<string> "(?: [^"\\]++ | \\. )*+" )
    | (?P<mark> [{}();:,] )
    | (?P<word> (?: [^\s{}();:,"\\/]++ | \\(?![^\S\n]*\n) | /(?![*/]) )++ )
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTINUED = re.compile(r"\\[^\S\n]*\n")
_ESCAPED_QUOTE = re.compile(r'\\"')
_OPERATORS = frozenset("+-*/&|^!")
_DEPTH_STEPS = {"(": 1, ")": -1}


@dataclass(slots=True)
class Group:
    """One group of a Liberty file.

    Attributes
    ----------
    kind : such as `cell`, `pin` or `timing`
    names : its arguments
    attributes : simple attributes, without quotes; of repeated ones the last
    lists : complex attributes, their arguments without quotes; of repeated ones the last
    groups : nested groups, in order
    """

    kind: str
    names: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The first argument."""
        return self.names[0] if self.names else ""

    def of_kind(self, *kinds: str) -> Iterator["Group"]:
        """Nested groups of these kinds."""
        return (group for group in self.groups if group.kind in kinds)

    def is_set(self, attribute: str) -> bool:
        """Whether a simple attribute exists and is true."""
        return self.attributes.get(attribute, "").lower() in ("true", "1")


_Token = tuple[str, str, int]
"""Kind (`line`, `string`, `mark`, `word` or `end`), text and place; a file has 100,000 of them."""


def parse(text: str, where: str) -> list[Group]:
    """The groups at the top of a text, in order.

    Parameters
    ----------
    text : of the file
    where : origin of the text, for messages

    Raises
    ------
    LibertyError
        If it does not follow the grammar, with the line.
    """
    return _Parser(text, where).run()


class _Parser:
    """Parses a text without recursion, so that no nesting exhausts the stack."""

    def __init__(self, text: str, where: str) -> None:
        self._text, self._where = text.removeprefix("\ufeff"), where
        self._tokens = self._scan()
        self._statements = 0
        self._token = next(self._tokens)

    def run(self) -> list[Group]:
        """All statements, one after another."""
        top = Group("")
        self._open = [top]
        while True:
            self._skip_lines()
            token = self._take()
            kind, text, _ = token
            if kind == "end":
                break
            if kind != "mark":
                self._statement(token)
            elif text == "}":
                self._close(token)
            elif text != ";":
                raise self._error(f"expected a name, not {text}", token)
        if len(self._open) > 1:
            raise self._error(f"the file ends within {self._open[-1].kind}", token)
        if top.attributes or top.lists:
            raise self._error("text outside of any group", token)
        return top.groups

    def _close(self, token: _Token) -> None:
        if len(self._open) == 1:
            raise self._error("'}' without '{'", token)
        self._open.pop()

    def _statement(self, name: _Token) -> None:
        kind, text, _ = self._take()
        group = self._open[-1]
        self._statements += 1
        if self._statements > MAX_STATEMENTS:
            raise self._error(f"more than {MAX_STATEMENTS:,} statements", name)
        if kind == "mark" and text == ":":
            group.attributes[_plain(name)] = self._value()
        elif kind == "mark" and text == "(":
            arguments = self._arguments(name)
            self._skip_lines()
            if self._token[:2] == ("mark", "{"):
                self._enter(Group(_plain(name), arguments))
            else:
                group.lists[_plain(name)] = arguments
        else:
            raise self._error(f"expected ':' or '(' after {name[1][:30]}", name)

    def _enter(self, group: Group) -> None:
        brace = self._take()
        if len(self._open) > MAX_DEPTH:
            raise self._error(f"groups nested deeper than {MAX_DEPTH}", brace)
        self._open[-1].groups.append(group)
        self._open.append(group)

    def _value(self) -> str:
        """Value of a simple attribute: up to the semicolon, the group's end or the line's end."""
        parts: list[_Token] = []
        depth = 0
        while self._token[:2] != ("mark", "}"):
            token = self._take()
            kind, text, _ = token
            if kind == "line":
                if parts and not depth and parts[-1][1] not in _OPERATORS:
                    break
                continue
            if kind == "end" or (kind == "mark" and text == "{"):
                raise self._error("a value without ';'", token)
            if kind == "mark":
                if text == ";":
                    break
                depth += _DEPTH_STEPS.get(text, 0)
            parts.append(token)
            if len(parts) > MAX_WORDS:
                raise self._error(f"a value of more than {MAX_WORDS:,} words", token)
        return " ".join(map(_plain, parts))

    def _arguments(self, name: _Token) -> tuple[str, ...]:
        found: list[list[str]] = [[]]
        depth, words = 1, 0
        while True:
            token = self._take()
            words += 1
            if words > MAX_WORDS:
                raise self._error(f"a list of more than {MAX_WORDS:,} words", name)
            kind, text, _ = token
            if kind == "end" or (kind == "mark" and text in "{};"):
                raise self._error(f"'(' without ')' after {name[1][:30]}", name)
            if kind == "mark":
                depth += _DEPTH_STEPS.get(text, 0)
                if not depth:
                    return tuple(" ".join(parts) for parts in found if parts)
                if text == "," and depth == 1:
                    found.append([])
                    continue
            if kind != "line":
                found[-1].append(_plain(token))

    def _take(self) -> _Token:
        token = self._token
        if token[0] != "end":
            self._token = next(self._tokens)
        return token

    def _skip_lines(self) -> None:
        while self._token[0] == "line":
            self._take()

    def _scan(self) -> Iterator[_Token]:
        match, place = _TOKEN.match, 0
        while found := match(self._text, place):
            kind = found.lastgroup or ""
            if kind != "space":
                yield kind, found[0], place
            place = found.end()
        if place < len(self._text):
            kind = {'"': "string", "/": "comment"}.get(self._text[place], "line")
            raise self._error(f"a {kind} without end", ("end", "", place))
        yield "end", "", place

    def _error(self, reason: str, token: _Token) -> LibertyError:
        line = self._text.count("\n", 0, token[2]) + 1
        return LibertyError(f"{self._where}:{line}: {reason}; give a whole Liberty file (.lib)")


def _plain(token: _Token) -> str:
    """The text of a word or string, without quotes."""
    kind, text, _ = token
    if kind != "string":
        return text
    text = text[1:-1]
    if "\\" in text:
        text = _ESCAPED_QUOTE.sub('"', _CONTINUED.sub("", text))
    return text
