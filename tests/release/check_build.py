"""The same sources give the same packages, byte for byte."""

import os
import tarfile
import zipfile
from pathlib import Path

from tests.release.conftest import ROOT, build, copy_tree, run

PACKAGES = ("axnn/", "qcnpe/", "sim/", "synth/")


def test_packages_do_not_depend_on_place_time_or_order(dist, tmp_path):
    tree = copy_tree(tmp_path / "another folder" / "project")
    for age, path in enumerate(sorted(tree.rglob("*"))):
        os.utime(path, (age, age))
    again = build(tree, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C", HOME=str(tmp_path))
    first = {path.name: path.read_bytes() for path in dist.iterdir()}
    assert {name.partition("-")[0] for name in first} == {"axnn"}
    assert {path.name: path.read_bytes() for path in again.iterdir()} == first


def test_packages_hold_every_file(dist):
    tracked = set(run(["git", "ls-files"], ROOT).splitlines())
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held - {"PKG-INFO"} == tracked
    [wheel] = dist.glob("*.whl")
    installed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert installed == {name for name in tracked if name.startswith(PACKAGES)}


def test_packages_name_no_folder_of_this_machine(dist):
    [wheel] = dist.glob("*.whl")
    for name in (archive := zipfile.ZipFile(wheel)).namelist():
        assert str(ROOT).encode() not in archive.read(name)
        assert not Path(name).is_absolute()
