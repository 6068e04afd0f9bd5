"""Members of archives made here, whole, damaged and too large."""

import gzip
import io
import os
import tarfile
import time
import tracemalloc
import zipfile
from typing import Literal

import pytest

from axnn.data.archives import read_members
from axnn.errors import DataError

FILES = {"package/data/a.bin": b"alpha", "package/data/b.bin": b"beta", "package/run.js": b"no"}
WANTED = {name: content for name, content in FILES.items() if name.endswith(".bin")}


def make_tar(mode: Literal["w:gz", "w:xz"] = "w:gz", files=FILES) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def make_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return file.getvalue()


def make_deb(files=FILES) -> bytes:
    """An ar archive, as deb(5) describes it, with a member of odd size before the data."""
    parts = [("debian-binary", b"2.0"), ("data.tar.xz", make_tar("w:xz", files))]
    content = b"!<arch>\n"
    for name, part in parts:
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n".encode()
        content += part + b"\n" * (len(part) % 2)
    return content


def patched(content, offset, value):
    """A zip file with other bytes in its first directory entry."""
    place = content.index(b"PK\x01\x02") + offset
    return content[:place] + value + content[place + len(value) :]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.tgz", make_tar()),
        ("p.tar.gz", make_tar()),
        ("p.whl", make_zip()),
        ("p.zip", make_zip()),
        ("p.deb", make_deb()),
    ],
)
def test_members_are_read_by_pattern(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_members(tmp_path / name, r".*\.bin") == WANTED


def test_compressed_members_are_expanded(tmp_path):
    path = tmp_path / "p.deb"
    path.write_bytes(make_deb({"usr/share/a-ubyte.gz": gzip.compress(b"alpha")}))
    assert read_members(path, r".*-ubyte") == {"usr/share/a-ubyte": b"alpha"}


def test_plain_files_are_their_only_member(tmp_path):
    (tmp_path / "a.data").write_bytes(b"alpha")
    (tmp_path / "a-ubyte.gz").write_bytes(gzip.compress(b"alpha"))
    assert read_members(tmp_path / "a.data", r"a\.data") == {"a.data": b"alpha"}
    assert read_members(tmp_path / "a-ubyte.gz", r"a-ubyte") == {"a-ubyte": b"alpha"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.tgz", make_tar()[: len(make_tar()) // 2]),
        ("p.tgz", b"rubbish"),
        ("p.tgz", b""),
        ("p.whl", make_zip()[:40]),
        ("p.zip", make_zip().replace(b"alpha", b"alphb")),
        ("p.deb", make_deb()[: len(make_deb()) // 2 + 60]),
        ("p.deb", b"!<arch>\n" + b"x" * 60),
        ("p.deb", b"!<arch>\n"),
        ("p.deb", b"rubbish"),
        ("a.bin.gz", gzip.compress(b"alpha")[:-6]),
        ("a.bin.gz", b"rubbish"),
    ],
)
def test_damaged_archives_are_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_members(tmp_path / name, r".*\.bin")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.zip", make_zip()),
        ("p.tgz", make_tar()),
        ("a.bin.gz", gzip.compress(b"x" * 100)),
        ("a.bin", b"x" * 100),
    ],
)
def test_large_members_are_refused(tmp_path, monkeypatch, name, content):
    monkeypatch.setattr("axnn.data.archives.MEMBER_LIMIT_BYTES", 4)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"too many|more than 4 bytes"):
        read_members(tmp_path / name, r".*\.bin")


def tar_header(name, size, kind=tarfile.REGTYPE):
    """The header alone of a member that says it has this size."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def deb_with(size_field):
    return (
        b"!<arch>\n" + f"{'data.tar.xz':<16}{0:<12}{0:<6}{0:<6}{0:<8}{size_field:<10}`\n".encode()
    )


MANY = {f"{index}.bin.gz": gzip.compress(bytes(3 << 20)) for index in range(8)}
LONG_NAME = tar_header("././@LongLink", 9 << 20, tarfile.GNUTYPE_LONGNAME) + bytes(9 << 20)
TWICE = gzip.compress(tar_header("a.bin", 0) * 2)

HOSTILE = {
    "eight members that expand to 24 MB": ("p.tgz", make_tar(files=MANY), "expands to more than"),
    "20 GB that nobody wants": (
        "p.tgz",
        gzip.compress(tar_header("x", 20 << 30)),
        "expands to more than",
    ),
    "17 MB that nobody wants": (
        "p.tgz",
        gzip.compress(tar_header("x", 17 << 20) + bytes(17 << 20)),
        "expands to more than",
    ),
    "a name of 9 MB": (
        "p.tgz",
        gzip.compress(LONG_NAME),
        "expands to more than",
    ),
    "a negative size": (
        "p.tgz",
        gzip.compress(tar_header("x", -512) + bytes(1024)),
        "a member of -512",
    ),
    "the same member again": ("p.tgz", TWICE, "two members are called a.bin"),
    "a member with and without .gz": (
        "p.tgz",
        make_tar(files={"a.bin": b"", "a.bin.gz": gzip.compress(b"")}),
        "two members are called a.bin",
    ),
    "a size of -60": ("p.deb", deb_with("-60"), "a member's header"),
    "a size that is no number": ("p.deb", deb_with("1e3"), "a member's header"),
    "a size beyond the file": ("p.deb", deb_with(10**9), "damaged archive"),
    "an unknown compression": (
        "p.deb",
        deb_with(0).replace(b"tar.xz ", b"tar.zst"),
        "data.tar.gz or",
    ),
    "an encrypted member": (
        "p.zip",
        patched(make_zip(), 8, b"\x01"),
        "'package/data/a.bin' is encr",
    ),
    "an unknown compression in a zip": (
        "p.zip",
        patched(make_zip(), 10, b"\x63"),
        "compression 99",
    ),
    "a pipe": ("pipe.bin", None, "is not a regular file"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_archives_are_refused_at_once(tmp_path, monkeypatch, fault):
    monkeypatch.setattr("axnn.data.archives.TOTAL_LIMIT_BYTES", 16 << 20)
    name, content, message = HOSTILE[fault]
    if content is None:
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises(DataError, match=name) as caught:
        read_members(tmp_path / name, r".*\.bin")
    assert time.monotonic() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()
    assert message in str(caught.value)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("axnn.data.archives.MEMBER_LIMIT", 2)
    (tmp_path / "p.tgz").write_bytes(make_tar())
    with pytest.raises(DataError, match=r"p\.tgz: has more than 2 members"):
        read_members(tmp_path / "p.tgz", r".*\.bin")


def test_large_members_that_nobody_wants_are_passed_over(tmp_path):
    """In a zip file they are not even expanded."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bytes(30 << 20))
        archive.writestr("a.bin", b"alpha")
    (tmp_path / "p.zip").write_bytes(file.getvalue())
    tracemalloc.start()
    assert read_members(tmp_path / "p.zip", r".*\.bin") == {"a.bin": b"alpha"}
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
