"""Files are complete or unchanged, and flushed before they are renamed; reading has a limit."""

import errno
import os
import tracemalloc
from pathlib import Path

import pytest

from qcnpe.spec.errors import FormatError, one_line
from qcnpe.spec.files import read_limited, replace_bytes, replace_file, replace_text


@pytest.fixture
def umask():
    """Set the process's umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def test_replace_text_writes_only_what_changed(tmp_path):
    target = tmp_path / "deeper" / "file.txt"
    assert replace_text(target, "one\n")
    stamp = target.stat().st_mtime_ns
    assert not replace_text(target, "one\n")
    assert target.stat().st_mtime_ns == stamp
    assert replace_text(target, "two\n")
    assert target.read_text() == "two\n"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("text", ["\N{GREEK SMALL LETTER MU}m\n", "a\r\nb"])
def test_text_is_utf8_byte_for_byte(tmp_path, text):
    replace_text(tmp_path / "file.txt", text)
    assert (tmp_path / "file.txt").read_bytes() == text.encode("utf-8")
    assert not replace_text(tmp_path / "file.txt", text)


@pytest.mark.parametrize(
    ("mask", "executable", "mode"),
    [(0o022, False, 0o644), (0o077, False, 0o600), (0o077, True, 0o700), (0o002, True, 0o775)],
)
def test_mode_is_what_the_umask_allows(tmp_path, umask, mask, executable, mode):
    umask(mask)
    replace_file(tmp_path / "file", lambda path: None, executable=executable)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_content_then_name_are_flushed(tmp_path, monkeypatch):
    """The order that survives a power failure: content, rename, folder."""
    target, events = tmp_path / "file", []
    fsync, rename = os.fsync, Path.replace

    def flush(handle):
        events.append(("fsync", Path(f"/proc/self/fd/{handle}").resolve()))
        fsync(handle)

    def name(path, new):
        events.append(("rename", path.resolve()))
        return rename(path, new)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", name)
    replace_bytes(target, b"content")
    [(first, temporary), (second, renamed), third] = events
    assert (first, second, third) == ("fsync", "rename", ("fsync", tmp_path.resolve()))
    assert temporary == renamed
    assert temporary.parent == tmp_path.resolve()


@pytest.mark.parametrize("fault", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_flush_is_no_error_a_broken_disk_is(tmp_path, monkeypatch, fault):
    def flush(_handle):
        raise OSError(fault, os.strerror(fault))

    replace_bytes(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", flush)
    if fault == errno.EIO:
        with pytest.raises(OSError, match=os.strerror(fault)):
            replace_bytes(tmp_path / "file", b"new")
    else:
        replace_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == (b"old" if fault == errno.EIO else b"new")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    target = tmp_path / "file"
    replace_bytes(target, b"old")

    def fill(temporary):
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)):
        replace_file(target, fill)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_full_disk_names_the_file_that_was_meant(tmp_path):
    def fill(temporary):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught:
        replace_file(tmp_path / "axnn.npz", fill)
    assert one_line(caught.value).startswith(f"{tmp_path}/axnn.npz: No space left on device;")


def test_folder_that_cannot_be_written_names_the_file_that_was_meant(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        replace_text(tmp_path / "file" / "axnn.lib", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "no such file; check its path, or run the step that makes it"),
        ("file/deeper", "no such file"),
        ("", "is a folder"),
        ("pipe", "is not a regular file"),
        ("file", "has 5 bytes, more than 4"),
        ("a\0b", "not a name"),
    ],
)
def test_what_is_not_read(tmp_path, name, message):
    (tmp_path / "file").write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match=message):
        read_limited(tmp_path / name, 4)


def test_reads_up_to_the_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    assert read_limited(tmp_path / "file", 5) == b"12345"


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    tracemalloc.start()
    try:
        assert read_limited(tmp_path / "file", 1 << 31) == b"12345"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
