"""Files of arrays: whole or refused, the same bytes for the same content, nothing unpickled."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qcnpe.spec import archive
from qcnpe.spec.archive import read_archive, write_archive
from qcnpe.spec.errors import FormatError

KIND = "test-1"
HEADER = {"b": [1, 2.5, None], "a": {"nested": "text"}}
ARRAYS: dict[str, np.ndarray] = {
    "w": np.arange(12, dtype=np.int16).reshape(3, 4),
    "a.b": np.array([-1], np.int8),
}


class Bomb:
    """Says so if anything unpickles it."""

    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


@pytest.fixture
def path(tmp_path):
    """A good archive."""
    target = tmp_path / "net.npz"
    write_archive(target, KIND, HEADER, ARRAYS)
    return target


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory):
    """Content of a good archive, and a path to put damaged ones."""
    target = tmp_path_factory.mktemp("archive") / "net.npz"
    write_archive(target, KIND, HEADER, ARRAYS)
    return target.read_bytes(), target


def members(**payloads):
    """A zip file of the given members, as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, payload in payloads.items():
            file.writestr(name.replace("__", "."), payload)
    return buffer.getvalue()


def array_bytes(array, *, allow_pickle=False):
    """An array in numpy's format."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def test_reads_what_was_written(path):
    header, arrays = read_archive(path, KIND)
    assert header == {"kind": KIND, **HEADER}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


@given(
    hnp.arrays(
        st.sampled_from([np.int8, np.int16, np.uint16, np.int64, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False},
    )
)
def test_every_array_survives(tmp_path_factory, array):
    target = tmp_path_factory.getbasetemp() / "array.npz"
    write_archive(target, KIND, {}, {"x": array})
    found = read_archive(target, KIND)[1]["x"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert (found == array).all()


def test_numpy_reads_the_arrays(path):
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["w"], ARRAYS["w"])


def test_same_content_gives_the_same_bytes(path, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2e9)
    again = tmp_path / "deeper" / "again.npz"
    backwards = {name: ARRAYS[name] for name in reversed(ARRAYS)}
    write_archive(again, KIND, dict(reversed(HEADER.items())), backwards)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("header", "arrays", "error"),
    [
        ({"set": {1}}, ARRAYS, TypeError),
        (HEADER, {"w": ARRAYS["w"], "x": np.array([Bomb()], object)}, ValueError),
    ],
    ids=["header", "arrays"],
)
def test_failed_write_leaves_the_old_file(path, header, arrays, error):
    before = path.read_bytes()
    with pytest.raises(error):
        write_archive(path, KIND, header, arrays)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_interrupted_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_archive(path, KIND, {}, {"w": np.zeros(3)})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match=r"none\.npz: no such file; run the step that makes it"):
        read_archive(tmp_path / "none.npz", KIND)


def test_other_kind(path):
    with pytest.raises(FormatError, match=r"net\.npz: holds 'test-1', not 'test-2'; give the ri"):
        read_archive(path, "test-2")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "File is not a zip file"),
        (b"plain text", "File is not a zip file"),
        (members(x__npy=array_bytes(np.zeros(2))), "no item named 'header.json'"),
        (members(header__json="{"), "Expecting property name"),
        (members(header__json=b"{\xff}"), "decode"),
        (members(header__json=json.dumps({"kind": KIND}), x__npy=b"no array"), "magic string"),
    ],
    ids=["empty", "text", "no-header", "json", "encoding", "array"],
)
def test_foreign_file(tmp_path, content, reason):
    target = tmp_path / "net.npz"
    target.write_bytes(content)
    with pytest.raises(
        FormatError, match=rf"net\.npz: not a readable test-1 file \(.*{reason}.*ag"
    ):
        read_archive(target, KIND)


@pytest.mark.parametrize("header", [[], None, 3, {}, {"kind": None}])
def test_header_without_a_kind(tmp_path, header):
    target = tmp_path / "net.npz"
    target.write_bytes(members(header__json=json.dumps(header)))
    with pytest.raises(FormatError, match=r"holds None, not 'test-1'"):
        read_archive(target, KIND)


def test_pickled_objects_are_refused_unopened(tmp_path):
    target = tmp_path / "net.npz"
    pickled = array_bytes(np.array([Bomb()], object), allow_pickle=True)
    target.write_bytes(members(header__json=json.dumps({"kind": KIND}), x__npy=pickled))
    with pytest.raises(FormatError, match="Object arrays cannot be loaded"):
        read_archive(target, KIND)
    assert not Bomb.exploded


def test_too_large_file(path, monkeypatch):
    with zipfile.ZipFile(path) as file:
        total = sum(member.file_size for member in file.infolist())
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", total)
    read_archive(path, KIND)
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", total - 1)
    with pytest.raises(FormatError, match=f"would take {total} bytes, more than {total - 1}"):
        read_archive(path, KIND)


def test_size_is_checked_before_anything_is_unpacked(tmp_path, monkeypatch):
    target = tmp_path / "net.npz"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", json.dumps({"kind": KIND}))
        file.writestr("x.npy", bytes(1 << 20))
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 1 << 19)
    monkeypatch.delattr(zipfile.ZipFile, "open")
    with pytest.raises(FormatError, match="would take"):
        read_archive(target, KIND)


@given(st.data())
def test_cut_file(good_bytes, data):
    content, target = good_bytes
    target.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(FormatError):
        read_archive(target, KIND)


@given(st.data())
def test_changed_byte_in_the_data(good_bytes, data):
    """All that numpy reads is under a checksum: damage is refused, or does not touch the arrays."""
    content, target = good_bytes
    place = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.integers(1, 255))
    target.write_bytes(content[:place] + bytes([content[place] ^ damage]) + content[place + 1 :])
    try:
        _, arrays = read_archive(target, KIND)
    except FormatError:
        return
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_changed_data_is_refused(good_bytes):
    content, target = good_bytes
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = archive.getinfo("w.npy")
    middle = member.header_offset + len("w.npy") + 50 + member.compress_size // 2
    damaged = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    target.write_bytes(damaged)
    with pytest.raises(FormatError, match="not a readable"):
        read_archive(target, KIND)


def patched(content, offset, value):
    """Content with other bytes in its first directory entry."""
    place = content.index(b"PK\x01\x02") + offset
    return content[:place] + value + content[place + len(value) :]


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
    target.write_bytes(patched(content, offset, value))
    with pytest.raises(FormatError, match="not a readable"):
        read_archive(target, KIND)


def test_array_header_that_claims_too_much(tmp_path):
    buffer = io.BytesIO()
    claim = {"descr": "<i2", "fortran_order": False, "shape": (10**13,)}
    np.lib.format.write_array_header_1_0(buffer, claim)
    target = tmp_path / "net.npz"
    target.write_bytes(members(header__json=json.dumps({"kind": KIND}), x__npy=buffer.getvalue()))
    with pytest.raises(FormatError, match="not a readable"):
        read_archive(target, KIND)


def test_deeply_nested_header(tmp_path):
    target = tmp_path / "net.npz"
    target.write_bytes(members(header__json="[" * 100_000))
    with pytest.raises(FormatError, match="not a readable"):
        read_archive(target, KIND)


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(FormatError, match=f"is a folder; give a {KIND} file"):
        read_archive(tmp_path, KIND)
