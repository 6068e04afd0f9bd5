"""Foreign text is shown literally, and does not move the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.errors import FormatError, one_line
from qcnpe.spec.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31;1mred\x1b[0m\x07 \x9b2Jnever\tlost\n", "red 2Jnever\tlost\n"),
        ("\x1b]0;title\x07a \x1b]8;;http://x\x1b\\link", "a link"),
        ("a\x1b]0;no end", "a"),
        ("over\rwritten\x08\x7f\0", "overwritten"),
        ("gpj.\u202egnp", "gpj.gnp"),
        ("one\u2028line", "oneline"),
        ("not UTF-8: \udcff", "not UTF-8: \ufffd"),
        ("[/x] [bold] :smile: \u00e4 \U0001f600", "[/x] [bold] :smile: \u00e4 \U0001f600"),
    ],
)
def test_what_is_shown(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_any_text_is_printable_and_stays_so(text):
    shown = printable(text)
    assert printable(shown) == shown
    assert all(letter.isprintable() or letter in "\t\n" for letter in shown if letter < "\xa0")
    shown.encode()


def test_error_is_one_line_of_printable_text():
    assert one_line(FormatError("net\x1b[2J.npz:\n bad\udcff")) == "net.npz: bad\ufffd"
    error = OSError(2, "No such file", "a\x1b[31mb")
    assert one_line(error) == "ab: No such file; choose another folder or correct that"
