"""Logic functions in Liberty's notation: parsed once, evaluated for one or for all inputs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from synth.errors import LibertyError

MAX_INPUTS = 8
"""Most inputs of a cell: tables over all states double with each input."""

_MAX_LENGTH = 10_000

_TOKEN = re.compile(r"\s*(?:([\w\[\].]+)|([!'()*&+|^]))")
_PRECEDENCE = {"|": 1, "&": 2, "^": 3, "!": 4}
"""Precedence of the operators, the strongest highest: in Liberty XOR binds before AND."""

_SAME = {"+": "|", "*": "&"}


@dataclass(frozen=True)
class Function:
    """A logic function of pins.

    Attributes
    ----------
    postfix : names, the constants 0 and 1, and operators, each behind its operands
    """

    postfix: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """Pins that it reads."""
        return frozenset(self.postfix) - {"0", "1", "!", "&", "|", "^"}

    def evaluate(self, values: Mapping[str, int], ones: int = 1) -> int:
        """Its value, bit by bit.

        Parameters
        ----------
        values : of the pins, each bit a case of its own
        ones : a one in each case

        Raises
        ------
        LibertyError
            If it reads a pin that has no value.
        """
        stack: list[int] = []
        for item in self.postfix:
            if item == "!":
                stack[-1] ^= ones
            elif item in _PRECEDENCE:
                right = stack.pop()
                stack[-1] = _apply(item, stack[-1], right)
            elif item in "01":
                stack.append(ones * int(item))
            elif item in values:
                stack.append(values[item])
            else:
                raise LibertyError(f"a function reads {item}, not a pin; correct the library")
        return stack[0]

    def truth_table(self, inputs: Sequence[str]) -> tuple[int, ...]:
        """Values over all inputs, the first input the most significant bit of the row."""
        if len(inputs) > MAX_INPUTS:
            raise LibertyError(f"a function of more than {MAX_INPUTS} inputs; use a smaller cell")
        rows = range(1 << len(inputs))
        places = range(len(inputs) - 1, -1, -1)
        columns = {
            name: sum((row >> place & 1) << row for row in rows)
            for name, place in zip(inputs, places, strict=True)
        }
        found = self.evaluate(columns, (1 << len(rows)) - 1)
        return tuple(found >> row & 1 for row in rows)

    def __str__(self) -> str:
        """The function as Liberty text, in parentheses: other tools have other precedences."""
        stack: list[str] = []
        for item in self.postfix:
            if item == "!":
                stack[-1] = f"!{stack[-1]}"
            elif item in _PRECEDENCE:
                right = stack.pop()
                stack[-1] = f"({stack[-1]} {item} {right})"
            else:
                stack.append(item)
        return stack[0]

    def literal(self) -> tuple[str, int] | None:
        """The pin and its value for which the function is 1, if it reads only one pin."""
        if len(self.names) != 1:
            return None
        (name,) = self.names
        low, high = self.truth_table((name,))
        return (name, high) if low != high else None


def _apply(operator: str, left: int, right: int) -> int:
    if operator == "&":
        return left & right
    return left | right if operator == "|" else left ^ right


@lru_cache(maxsize=4096)
def parse_function(text: str) -> Function:
    """Read a Liberty function: `!A`, `A'`, `A B`, `A * B`, `A & B`, `A + B`, `A | B`, `A ^ B`.

    Raises
    ------
    LibertyError
        If it is empty, too long, or not a function.
    """
    found: list[str] = []
    waiting: list[str] = []
    operand_before = False
    for token in _tokens(text):
        starts = token in ("!", "(") or token not in "!'()&|^"
        if starts and operand_before:  # two operands side by side are multiplied
            _pop(waiting, found, "&")
            waiting.append("&")
        elif not starts and not operand_before:
            raise _unreadable(text)
        operand_before = not starts or token not in ("!", "(")
        if token in ("!", "("):
            waiting.append(token)
        elif token == "'":
            found.append("!")
        elif token == ")":
            _close(waiting, found, text)
        elif token in _PRECEDENCE:
            _pop(waiting, found, token)
            waiting.append(token)
            operand_before = False
        else:
            found.append(token)
    if not operand_before or "(" in waiting:
        raise _unreadable(text)
    return Function((*found, *reversed(waiting)))


def _tokens(text: str) -> list[str]:
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        raise _unreadable(text[:30])
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _unreadable(text)
        found.append(match[1] or _SAME.get(match[2], match[2]))
        place = match.end()
    return found


def _pop(waiting: list[str], found: list[str], operator: str) -> None:
    """Move operators that bind at least as strongly behind their operands."""
    while waiting and waiting[-1] != "(" and _PRECEDENCE[waiting[-1]] >= _PRECEDENCE[operator]:
        found.append(waiting.pop())


def _close(waiting: list[str], found: list[str], text: str) -> None:
    while waiting and waiting[-1] != "(":
        found.append(waiting.pop())
    if not waiting:
        raise _unreadable(text)
    waiting.pop()


def _unreadable(text: str) -> LibertyError:
    return LibertyError(f"cannot read the function {text[:60]!r}; correct the library")
