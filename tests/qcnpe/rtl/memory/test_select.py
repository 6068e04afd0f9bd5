"""Selection among as many words as an engine can have banks."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory import select
from qcnpe.spec.memory.config import MAX_BANKS
from tests.qcnpe.rtl.oracle import play


class Selection(Component):
    """The word of a number."""

    def __init__(self, words: int) -> None:
        self.words = words
        super().__init__({"number": In(10), "word": Out(12), **_inputs(words)})

    def elaborate(self, platform: object) -> Module:
        """The selection alone."""
        m = Module()
        words = [getattr(self, name) for name in _inputs(self.words)]
        m.d.comb += self.word.eq(select.select_word(words, self.number))
        return m


def _inputs(words):
    return {f"word_{number}": In(12) for number in range(words)}


@pytest.mark.parametrize("words", [1, 4, 5, 10])
def test_every_word_is_found_by_its_number(words, monkeypatch):
    monkeypatch.setattr(select, "_LONGEST_CHAIN", 4)
    unit = Selection(words)
    held = {f"word_{number}": 3 * number + 1 for number in range(words)}
    seen = play(unit, [held | {"number": number} for number in range(words)], ["word"])
    assert [cycle["word"] for cycle in seen] == [3 * number + 1 for number in range(words)]


def test_the_most_banks_are_converted():
    unit = Selection(MAX_BANKS)
    ports = [getattr(unit, name) for name in ("number", "word", *_inputs(MAX_BANKS))]
    assert "module" in rtlil.convert(unit, ports=ports)
