"""Selection of a word without a long vector that is shifted."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Mux, Value

_LONGEST_CHAIN = 256
"""Operators in a row; Amaranth follows them recursively, and Python allows a thousand calls."""


def select_word(words: Sequence[Value], number: Value) -> Value:
    """The word of a number; zero if there is none."""
    if len(words) == 1:
        return words[0]
    return join((number == index for index in range(len(words))), words)


def join(chosen: Iterable[Value], words: Iterable[Value]) -> Value:
    """The OR of the words that are chosen."""
    found = [Mux(hit, word, 0) for hit, word in zip(chosen, words, strict=True)]
    chains = (
        found[start : start + _LONGEST_CHAIN] for start in range(0, len(found), _LONGEST_CHAIN)
    )
    return reduce(or_, (reduce(or_, chain) for chain in chains))
