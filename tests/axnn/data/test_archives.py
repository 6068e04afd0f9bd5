"""Members of archives made here, whole, damaged and too large."""

import gzip
import io
import tarfile
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
    [("p.zip", make_zip()), ("p.tgz", make_tar()), ("a.bin.gz", gzip.compress(b"x" * 100))],
)
def test_large_members_are_refused(tmp_path, monkeypatch, name, content):
    monkeypatch.setattr("axnn.data.archives.MEMBER_LIMIT_BYTES", 4)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"too many|more than 4 bytes"):
        read_members(tmp_path / name, r".*\.bin")
