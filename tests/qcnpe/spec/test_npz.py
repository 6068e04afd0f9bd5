"""Files of arrays: complete or refused, the same bytes for the same content, nothing unpickled."""

import io
import json
import struct
import tracemalloc
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qcnpe.spec import npz
from qcnpe.spec.errors import FormatError
from qcnpe.spec.npz import ArrayType, read_npz, read_npz_header, read_plain_npz, write_npz
from tests.damage import resave

KIND = "test-1"


@dataclass(frozen=True)
class Header:
    """Stands for a network's description."""

    rows: int = 3
    notes: dict[str, Any] = field(default_factory=dict)


HEADER = Header(3, {"b": [1, 2.5, None], "a": {"nested": "text"}})
ARRAYS: dict[str, np.ndarray] = {
    "w": np.arange(12, dtype=np.int16).reshape(3, 4),
    "a.b": np.array([-1], np.int8),
}


def layout(header):
    """What a file of `Header` holds."""
    return {"w": ArrayType(np.int16, (header.rows, None)), "a.b": ArrayType(np.int8, (1,))}


def only_w(_header):
    return {"w": ArrayType(np.int16, (None,))}


def read(path, types=layout, **options):
    return read_npz(path, KIND, Header, types, **options)


class Bomb:
    """Reports if anything unpickles it."""

    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


@pytest.fixture
def path(tmp_path):
    """A good file."""
    target = tmp_path / "net.npz"
    write_npz(target, KIND, HEADER, ARRAYS)
    return target


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory):
    """Content of a good file, and a path to put damaged ones."""
    target = tmp_path_factory.mktemp("npz") / "net.npz"
    write_npz(target, KIND, HEADER, ARRAYS)
    return target.read_bytes(), target


def members(*pairs, method=zipfile.ZIP_STORED):
    """A zip file of a good header and the given members, as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        if not any(name == "header.json" for name, _ in pairs):
            file.writestr("header.json", json.dumps({"kind": KIND}))
        for name, payload in pairs:
            file.writestr(name, payload)
    return buffer.getvalue()


def array_bytes(array, **options):
    """An array in numpy's format."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def array_with_header(text, version=(1, 0), content=b""):
    """A file of numpy's with this text for a header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode() + content


def test_reads_what_was_written(path):
    header, arrays = read(path)
    assert header == HEADER
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_header_alone(path, monkeypatch):
    monkeypatch.delattr(np.lib.format, "read_magic")
    assert read_npz_header(path, KIND, Header) == HEADER


@given(
    hnp.arrays(
        st.sampled_from([np.int8, np.int16, np.uint16, np.int64, np.float64, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    st.sampled_from("CF"),
)
def test_every_array_survives(tmp_path_factory, array, order):
    target = tmp_path_factory.getbasetemp() / "array.npz"
    types = {"x": ArrayType(array.dtype.type, array.shape)}
    write_npz(target, KIND, {}, {"x": np.asarray(array, order=order)})
    found = read(target, lambda _: types)[1]["x"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.flags.c_contiguous
    assert (found == array).all()


def test_numpy_reads_the_arrays(path):
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["w"], ARRAYS["w"])


def test_arrays_of_numpy_in_fortran_order(tmp_path):
    fortran = np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3))
    (tmp_path / "f.npz").write_bytes(members(("w.npy", array_bytes(fortran))))
    _, arrays = read(tmp_path / "f.npz", lambda _: {"w": ArrayType(np.int16, (2, 3))})
    np.testing.assert_array_equal(arrays["w"], fortran)


def test_same_content_gives_the_same_bytes(path, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2e9)
    again = tmp_path / "deeper" / "again.npz"
    backwards = {name: np.asfortranarray(ARRAYS[name]) for name in reversed(ARRAYS)}
    write_npz(again, KIND, Header(3, dict(reversed(HEADER.notes.items()))), backwards)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("header", "arrays", "error"),
    [
        ({"set": {1j}}, ARRAYS, TypeError),
        ({"x": np.nan}, ARRAYS, FormatError),
        (HEADER, {"w": ARRAYS["w"], "x": np.array([Bomb()], object)}, ValueError),
    ],
    ids=["header", "nan", "arrays"],
)
def test_failed_write_leaves_the_old_file(path, header, arrays, error):
    before = path.read_bytes()
    with pytest.raises(error):
        write_npz(path, KIND, header, arrays)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match=r"none\.npz: no such file; check its path"):
        read(tmp_path / "none.npz")


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(FormatError, match="is a folder; give a file"):
        read(tmp_path)


def test_other_kind(path):
    with pytest.raises(FormatError, match=r"net\.npz: holds 'test-1', not 'test-2'; give the ri"):
        read_npz(path, "test-2", Header, layout)


W = np.arange(3, dtype=np.int16)
HUGE = "{'descr': '<i2', 'fortran_order': False, 'shape': (10000000000000,), }\n"
BIG_ZEROS = array_bytes(np.zeros(1 << 20, np.int16))

FOREIGN = {
    "empty": (b"", "File is not a zip file"),
    "text": (b"plain text", "File is not a zip file"),
    "no-header": (members().replace(b"header", b"heater"), "no member header.json"),
    "json": (members(("header.json", "{")), "truncated"),
    "encoding": (members(("header.json", b'{"kind": "\xff"}')), "utf-8"),
    "nesting": (members(("header.json", "[" * 100_000)), "nested deeper"),
    "magic": (members(("w.npy", b"no array")), "magic string"),
    "no-kind": (members(("header.json", "{}")), "holds None, not 'test-1'"),
    "list": (members(("header.json", "[]")), "Expected `object`"),
    "missing": (members(), "has no 'w.npy'; make it again"),
    "unwanted": (members(("w.npy", array_bytes(W)), ("v.npy", b"")), "holds 'v.npy', which its"),
    "folder": (members(("w.npy", array_bytes(W)), ("../x/", b"")), "holds '../x/', which its"),
    "type": (members(("w.npy", array_bytes(W.astype(np.int64)))), "be int16 (any,), not int64"),
    "order": (members(("w.npy", array_bytes(W.astype(">i2")))), "must be int16 (any,), not >i2"),
    "shape": (members(("w.npy", array_bytes(W[None]))), "must be int16 (any,), not int16 (1, 3)"),
    "claim": (members(("w.npy", array_with_header(HUGE))), "its size is not that of"),
    "short": (members(("w.npy", array_bytes(W)[:-1])), "its size is not that of"),
    "long": (members(("w.npy", array_bytes(W) + b"\0")), "its size is not that of"),
    "bracket": (members(("w.npy", array_with_header("("))), "not a readable test-1 file"),
    "brackets": (members(("w.npy", array_with_header("[]," * 10_000))), "not a readable test-1"),
    "deep": (members(("w.npy", array_with_header("(" * 900))), "not a readable test-1 file"),
    "negative": (members(("w.npy", array_with_header(HUGE.replace("(1", "(-1")))), "not a readabl"),
    "evaluated": (members(("w.npy", array_with_header("{'descr': str(3)}"))), "plain numbers"),
    "Python 2": (members(("w.npy", array_with_header(HUGE.replace("0,", "0L,")))), "plain numbers"),
    "many-brackets": (
        members(("w.npy", array_with_header("[]," * 4_000_000, version=(2, 0)))),
        "an array of format (2, 0)",
    ),
    "bomb": (members(("w.npy", BIG_ZEROS), method=zipfile.ZIP_DEFLATED), "would expand to"),
    "lzma": (members(("w.npy", array_bytes(W)), method=zipfile.ZIP_LZMA), "compression 14"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_file(tmp_path, name):
    content, reason = FOREIGN[name]
    target = tmp_path / "net.npz"
    target.write_bytes(content)
    with pytest.raises(FormatError, match=r"net\.npz: ") as caught:
        read(target, only_w, limit_bytes=1 << 20 if name == "bomb" else npz.LIMIT_BYTES)
    assert reason.lower() in str(caught.value).lower()
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_twice_the_same_member(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = members(("w.npy", array_bytes(W)), ("w.npy", array_bytes(W + 1)))
    (tmp_path / "net.npz").write_bytes(content)
    with pytest.raises(FormatError, match="two members have one name"):
        read(tmp_path / "net.npz", only_w)


@pytest.mark.parametrize(
    ("kind", "array", "fault"),
    [
        (ArrayType(np.float32, (2,)), np.array([1, np.nan], np.float32), "not finite"),
        (ArrayType(np.float32, (2,)), np.array([1, np.inf], np.float32), "not finite"),
        (ArrayType(np.uint8, (2,), high=3), np.array([1, 4], np.uint8), "outside None..3"),
        (ArrayType(np.int8, (2,), low=0), np.array([1, -1], np.int8), "outside 0..None"),
        (ArrayType(np.bool_, (2,)), np.array([1, 2], np.uint8).view(np.bool_), "booleans"),
    ],
)
def test_values_are_checked(tmp_path, kind, array, fault):
    write_npz(tmp_path / "x.npz", KIND, {}, {"x": array})
    with pytest.raises(FormatError, match=f"x.npz: array x has .*{fault}"):
        read(tmp_path / "x.npz", lambda _: {"x": kind})


def test_scores_may_be_infinite(tmp_path):
    write_npz(tmp_path / "x.npz", KIND, {}, {"x": np.array([np.inf])})
    kind = ArrayType(np.float64, (1,), finite=False)
    assert np.isinf(read(tmp_path / "x.npz", lambda _: {"x": kind})[1]["x"])


def test_pickled_objects_are_refused_unopened(tmp_path):
    pickled = array_bytes(np.array([Bomb()], object), allow_pickle=True)
    (tmp_path / "net.npz").write_bytes(members(("w.npy", pickled)))
    with pytest.raises(FormatError, match="not that of plain numbers"):
        read(tmp_path / "net.npz", only_w)
    assert not Bomb.exploded


@pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
def test_plain_files_of_numpy_are_read(tmp_path, writer):
    arrays = {
        "a": np.arange(6).reshape(2, 3).T,
        "b": np.array([True, False]),
        "c": np.array(["", "Köln", "x" * 300]),
        "d": np.array(2.5, ">f4"),
    }
    writer(tmp_path / "x.npz", **arrays)
    found = read_plain_npz(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_plain_files_that_hold_anything_else_are_refused(tmp_path, path):
    np.savez(tmp_path / "objects.npz", a=np.array([{}], object))
    np.savez(tmp_path / "record.npz", a=np.zeros(2, [("x", "i4")]))
    np.savez(tmp_path / "letters.npz", a=np.full(3, 0x110000, np.uint32).view("<U1"))
    np.savez(tmp_path / "truth.npz", a=np.full(3, 2, np.uint8).view(np.bool_))
    faults = {"objects": "plain numbers", "record": "plain numbers", "truth": "booleans other"}
    for name, fault in {**faults, "letters": "letters|characters"}.items():
        with pytest.raises(FormatError, match=fault):
            read_plain_npz(tmp_path / f"{name}.npz")
    with pytest.raises(FormatError, match=r"header.json' is no"):
        read_plain_npz(path)


def test_words_are_refused_where_the_header_says_numbers(path):
    resave(path, lambda _, arrays: arrays.update(w=np.array(["a", "b"])))
    with pytest.raises(FormatError, match="plain numbers"):
        read(path)


def test_file_over_the_limit_is_not_opened(path, monkeypatch):
    monkeypatch.delattr(zipfile, "ZipFile")
    with pytest.raises(FormatError, match=r"bytes, more than 100"):
        read(path, limit_bytes=100)


def test_layout_is_checked_before_anything_is_read(path):
    """A description that implies a gigabyte costs none if the file does not hold it."""
    write_npz(path, KIND, Header(20_000), ARRAYS)
    types = {"w": ArrayType(np.int16, (20_000, 20_000)), "a.b": ArrayType(np.int8, (1,))}
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"array w must be int16 \(20000, 20000\), not int16"):
        read(path, lambda _: types)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_directory_has_a_limit(tmp_path):
    """At most 20,000 members are listed, for any file: each takes half a kilobyte of memory."""
    content = members(*((f"{index:05}" + "x" * 60_000, b"") for index in range(20)))
    (tmp_path / "net.npz").write_bytes(content)
    with pytest.raises(FormatError, match="its directory is too large"):
        read(tmp_path / "net.npz", only_w)


def refuses_or_agrees(target):
    try:
        header, arrays = read(target)
    except FormatError:
        return
    assert header == HEADER
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@given(st.data())
def test_cut_file(good_bytes, data):
    content, target = good_bytes
    target.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(FormatError):
        read(target)


@given(st.data())
def test_changed_byte_in_the_data(good_bytes, data):
    """All that is read is under a checksum: damage is refused, or does not touch the arrays."""
    content, target = good_bytes
    place = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.integers(1, 255))
    target.write_bytes(content[:place] + bytes([content[place] ^ damage]) + content[place + 1 :])
    refuses_or_agrees(target)


def test_changed_data_is_refused(good_bytes):
    content, target = good_bytes
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo("w.npy")
    middle = member.header_offset + len("w.npy") + 50 + member.compress_size // 2
    damaged = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    target.write_bytes(damaged)
    with pytest.raises(FormatError, match="not a readable"):
        read(target)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        pytest.param(10, b"\x63\x00", id="compression"),
        pytest.param(8, b"\x01\x00", id="encrypted"),
        pytest.param(8, b"\x20\x00", id="patched"),
        pytest.param(6, b"\xff\x00", id="version"),
        pytest.param(42, b"\xff\xff\xff", id="offset"),
    ],
)
def test_damaged_directory(good_bytes, offset, value):
    content, target = good_bytes
    place = content.index(b"PK\x01\x02") + offset
    target.write_bytes(content[:place] + value + content[place + len(value) :])
    with pytest.raises(FormatError, match="not a readable"):
        read(target)
