"""TOML of users: as strict as JSON documents, and every refusal names file and key."""

import time
import tomllib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.toml import LIMIT_BYTES, convert_toml, encode_toml, read_toml


@dataclass(frozen=True)
class Inner:
    size: int
    rate: float = 0.5
    shape: tuple[int, int] = (1, 1)
    limit: int | None = None

    def __post_init__(self):
        if self.size < 1:
            raise ConfigError(f"size must be at least 1, not {self.size}")


@dataclass(frozen=True)
class Outer:
    title: str
    inner: Inner
    either: str | Inner = "x"
    many: tuple[Inner, ...] = field(default=())


def read(path, text):
    path.write_text(text)
    return convert_toml(read_toml(path), Outer, where=str(path))


def test_what_is_written_is_read(tmp_path):
    found = read(tmp_path / "a", 'title="t"\nmany=[{size=2, limit=3}]\n[inner]\nsize=1\nrate=1\n')
    assert found == Outer("t", Inner(1, 1.0), "x", (Inner(2, limit=3),))
    assert isinstance(found.inner.rate, float)


@pytest.mark.parametrize(
    "value",
    [
        Outer("t", Inner(1)),
        Outer('"\\\n\x1b', Inner(3, 1e-9, (4, 5), 6), Inner(2), (Inner(1), Inner(2, 0.25, (7, 8)))),
        Outer("[\n    1,\n]", Inner(1), many=tuple(Inner(n + 1) for n in range(50))),
    ],
)
def test_encoding_round_trips(tmp_path, value):
    text = encode_toml(value)
    assert read(tmp_path / "a", text) == value
    assert "shape = [1, 1]" in text or "shape = [4, 5]" in text


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1e300), st.integers(1, 1 << 62)
)
def test_all_values_round_trip(title, rate, size):
    value = Outer(title, Inner(size, rate), title, (Inner(size),))
    document = tomllib.loads(encode_toml(value))
    assert convert_toml(document, Outer, where="text") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a: Object missing required field `title`"),
        ("title = 1", "a: title: Expected `str`, got `int`"),
        ("title = 'x'\ninner.size = 1.5", "a: inner.size: Expected `int`, got `float`"),
        ("title = 'x'\ninner.size = true", "a: inner.size: Expected `int`, got `bool`"),
        ("title = 'x'\ninner.size = '1'", "a: inner.size: Expected `int`, got `str`"),
        ("title = 'x'\ninner.size = 0", "a: inner: size must be at least 1, not 0"),
        ("title = 'x'\ninner.size = 1\nmany=[{size=1},{size=0}]", r"a: many\[1\]: size must be"),
        ("title = 'x'\ninner.size = 1\n[either]\nsize=-1", "a: either: size must be"),
        ("title = 'x'\ninner.size = 1\ninner.rat = 1", "a: inner.rat: unknown key; .* size, rate"),
        ("title = 'x'\ninner.size = 1\nmany=[{size=1, x=2}]", r"a: many\[0\].x: unknown key"),
        ("titel = 'x'\ntitle='y'\ninner.size = 1", "a: titel: unknown key"),
        ("title = 'x'\ninner = {size = 1, rate = nan}", "a: inner.rate: must be a finite number"),
        ("title = 'x'\ninner = {size = 1, rate = -inf}", "a: inner.rate: must be a finite number"),
        ("title = 'x'\ninner.size = 9223372036854775808", "a: inner.size: an integer of more than"),
        ("title = 1979-05-27", "a: title: Expected `str`, got `date`"),
        ("title = 'x'\ninner = 3", "a: inner: Expected `object`, got `int`"),
        ("title = 'x'\ninner = {size = 1, shape = [1]}", "a: inner.shape: Expected `array` of"),
        ("title = 'x'\ntitle = 'y'", r"a: is not TOML \(Cannot overwrite a value"),
        ("title", "a: is not TOML"),
        ("title = 'x'\ninner.size = " + "9" * 5000, "a: is not TOML"),
    ],
)  # fmt: skip
def test_refusals_name_file_and_key(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "a", text)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 60_000 + "a = 1",
        "[" + "a." * 60_000 + "a]",
        "[" + '"=".' * 20_000 + "a]",
        "a = " + "[" * 100_000,
        "a = " + "{a=" * 30_000,
        "title = 'x'\ninner = " + "[" * 40 + "]" * 40,
        "title = " + "'x'" + "\ninner." + "a." * 90 + "a = 1",
        "x" * (LIMIT_BYTES + 1),
    ],
    ids=["key", "table", "quoted", "lists", "tables", "deep list", "deep key", "large"],
)
def test_what_would_take_long_is_refused_at_once(tmp_path, text):
    start = time.process_time()
    with pytest.raises(FormatError, match="/a: "):
        read(tmp_path / "a", text)
    assert time.process_time() - start < 2


def test_a_mark_at_the_beginning_is_left_out(tmp_path):
    """As some editors write it."""
    (tmp_path / "a").write_text("\N{BYTE ORDER MARK}title = 'é'", encoding="utf-8")
    assert read_toml(tmp_path / "a") == {"title": "é"}


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"title = '\xff'")
    with pytest.raises(FormatError, match="a: is not TOML"):
        read_toml(tmp_path / "a")
    with pytest.raises(FormatError, match="nowhere: no such file"):
        read_toml(tmp_path / "nowhere")
