"""JSON matches the schema, or is refused in one line, in bounded time."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.documents import (
    MAX_DEPTH,
    convert_document,
    decode_document,
    encode_document,
    read_document,
    write_document,
)
from qcnpe.spec.errors import ConfigError, FormatError


@dataclass(frozen=True, kw_only=True)
class Part:
    """Stands for a layer."""

    size: tuple[int, int] = (1, 1)
    signed: bool = False
    rate: float = 0.0

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ConfigError(f"size must be positive, not {self.size}")


@dataclass(frozen=True)
class Whole:
    """Stands for a file's header."""

    name: str
    parts: tuple[Part, ...]
    shifts: dict[int, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


WHOLE = Whole("a", (Part(size=(2, 3), signed=True, rate=0.5), Part()), {16: 3}, {"x": [1, None]})

REFUSED = [
    ("", "truncated"),
    ("{", "truncated"),
    ("[]", "Expected `object`"),
    ('{"name": "a"}', "missing required field `parts`"),
    ('{"name": 3, "parts": []}', "Expected `str`, got `int`"),
    ('{"name": "a", "parts": [{"signed": "false"}]}', "Expected `bool`, got `str`"),
    ('{"name": "a", "parts": [{"signed": 1}]}', "Expected `bool`, got `int`"),
    ('{"name": "a", "parts": [{"size": [1, 2.0]}]}', "Expected `int`, got `float`"),
    ('{"name": "a", "parts": [{"size": [1]}]}', "length 2"),
    ('{"name": "a", "parts": [{"size": [1, 0]}]}', "size must be positive"),
    ('{"name": "a", "parts": [{"sizes": [1, 1]}]}', "unknown field 'sizes'"),
    ('{"name": "a", "parts": [{"rate": NaN}]}', "malformed"),
    ('{"name": "a", "parts": [{"rate": Infinity}]}', "malformed"),
    ('{"name": "a", "parts": [{"rate": 1e400}]}', "out of range"),
    ('{"name": "a", "parts": [], "shifts": {"16": 3.7}}', "Expected `int`, got `float`"),
    ('{"name": "a", "parts": [], "shifts": {"wide": 3}}', "Expected `int`, got `str`"),
    ('{"name": "a", "parts": [], "notes": {"x": 1' + "0" * 400 + "}}", "more than 64 bits"),
    ('{"name": "a", "parts": [], "notes": {"x": 1' + "0" * 9_000 + "}}", "out of range"),
    ('{"name": "a", "parts": []} x', "trailing"),
    ("[" * 100_000, "nested deeper than 64"),
    ('{"a":' * 100_000, "nested deeper than 64"),
    (b'{"name": "\xff", "parts": []}', "utf-8"),
    (b"\xff\xfe{", "malformed"),
    (b'\xef\xbb\xbf{"name": "a", "parts": []}', "malformed"),
    ('{"name": "\\ud800", "parts": []}', ""),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_refused_in_one_line(text, reason):
    with pytest.raises(FormatError, match=r"\Afile\.json: ") as caught:
        decode_document(text, Whole, where="file.json")
    assert reason.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)


def test_reads_what_was_written(tmp_path):
    write_document(tmp_path / "file.json", WHOLE)
    assert read_document(tmp_path / "file.json", Whole) == WHOLE


def test_fields_with_a_default_may_be_missing():
    assert decode_document('{"name": "", "parts": [{}]}', Whole, where="") == Whole("", (Part(),))


def test_fields_of_other_peoples_tools_are_read_over_where_asked():
    text = '{"rate": 0.5, "creator": "a tool"}'
    assert decode_document(text, Part, where="", more_fields=True) == Part(rate=0.5)
    with pytest.raises(FormatError, match="unknown field 'creator'"):
        decode_document(text, Part, where="")


def test_brackets_in_strings_are_no_nesting():
    text = json.dumps({"name": '"[\\"' * 1000, "parts": []})
    assert decode_document(text, Whole, where="").name == '"[\\"' * 1000


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_nesting_up_to_the_limit(depth):
    text = "[" * depth + "]" * depth
    if depth == MAX_DEPTH:
        assert json.dumps(decode_document(text, Any, where="")) == text
    else:
        with pytest.raises(FormatError, match="nested"):
            decode_document(text, Any, where="")


def test_free_part_is_converted_as_strictly():
    assert convert_document({"size": [2, 3]}, Part, where="notes") == Part(size=(2, 3))
    for value in ([1], {"size": [1, 3.7]}, {"signed": "false"}, {"x": 1}, {"rate": np.inf}):
        with pytest.raises(FormatError, match=r"notes|finite"):
            convert_document(value, Part, where="notes")


@pytest.mark.parametrize("value", [np.nan, np.inf, [1, {"x": -np.inf}]])
def test_writer_refuses_what_is_not_finite(value):
    with pytest.raises(FormatError, match="finite"):
        encode_document(value)


def test_file_over_the_limit_is_not_read(tmp_path):
    (tmp_path / "file.json").write_text('"' + "x" * 100 + '"')
    with pytest.raises(FormatError, match="102 bytes, more than 100"):
        read_document(tmp_path / "file.json", str, limit_bytes=100)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(_JSON)
def test_agrees_with_the_standard_library(value):
    text = encode_document(value)
    assert decode_document(text, Any, where="") == json.loads(text)


@given(
    st.binary(max_size=40) | st.text(alphabet='{}[]":,0123456789eE+-. truefalsn\\u').map(str.encode)
)
def test_any_bytes_are_read_or_refused(content):
    with suppress(FormatError):
        decode_document(content, Any, where="x")
