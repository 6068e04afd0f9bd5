"""What a file was made from: its names, its checks, its messages."""

import hashlib
import json
from pathlib import Path

import pytest

from axnn.errors import RunError
from axnn.flow.ancestry import Ancestry
from qcnpe.spec.errors import FormatError


@pytest.fixture
def files(tmp_path):
    """A folder with a trained network, and in it a folder with what was made from it."""
    for folder in ("tight", "loose"):
        (tmp_path / folder).mkdir()
    for name in ("network.npz", "tight/state.npz"):
        (tmp_path / name).write_text(name)
    return tmp_path


def made(files: Path) -> tuple[Path, Ancestry]:
    path = files / "loose" / "axnn.npz"
    ancestors = (files / "network.npz", files / "tight" / "state.npz")
    return path, Ancestry.of(path, ancestors, plan={"b": 1, "a": 2.5})


def check(files: Path, ancestry: Ancestry, **values: object) -> None:
    path = files / "loose" / "axnn.npz"
    ancestry.check(path, files=[files / "network.npz"], values=values, remedy="`it`")


def test_files_are_known_by_their_bytes_and_values_by_their_text(files):
    _, ancestry = made(files)
    assert ancestry.files == {
        "../network.npz": hashlib.sha256(b"network.npz").hexdigest(),
        "../tight/state.npz": hashlib.sha256(b"tight/state.npz").hexdigest(),
    }
    assert ancestry.values == {"plan": hashlib.sha256(b'{"a": 2.5, "b": 1}').hexdigest()}


def test_it_survives_json(files):
    path, ancestry = made(files)
    document = {"made_from": {"files": ancestry.files, "values": ancestry.values}}
    assert Ancestry.recorded(json.loads(json.dumps(document)), path) == ancestry


def test_unchanged_ancestors_are_believed_also_in_a_folder_that_was_moved(files, tmp_path_factory):
    _, ancestry = made(files)
    check(files, ancestry, plan={"a": 2.5, "b": 1})
    moved = files.rename(tmp_path_factory.mktemp("else") / "where")
    check(moved, ancestry, plan={"a": 2.5, "b": 1})


@pytest.mark.parametrize("name", ["network.npz", "tight/state.npz"])
def test_another_file_is_refused(files, name):
    _, ancestry = made(files)
    (files / name).write_text("other")
    message = rf"axnn\.npz: was made from another \.\./{name}; run `it` again"
    with pytest.raises(RunError, match=message):
        check(files, ancestry)


def test_a_missing_file_is_refused(files):
    _, ancestry = made(files)
    (files / "tight" / "state.npz").unlink()
    with pytest.raises(FormatError, match=r"state\.npz: no such file"):
        check(files, ancestry)


def test_another_value_is_refused_by_its_name(files):
    _, ancestry = made(files)
    with pytest.raises(RunError, match=r"was made with another plan; run `it` again"):
        check(files, ancestry, plan={"a": 3})
    with pytest.raises(RunError, match=r"was made with another test part; run `it` again"):
        check(files, ancestry, test_part=1)


def test_a_file_that_names_no_network_is_refused(files):
    with pytest.raises(RunError, match=r"from another \.\./network\.npz"):
        check(files, Ancestry({}, {}))


@pytest.mark.parametrize(
    "name", ["/dev/zero", "../../network.npz", "a/../../b", "a/b/c", "..", ".", "a\0b", "../.x"]
)
def test_files_elsewhere_are_never_opened(name):
    with pytest.raises(FormatError, match="is no file of a run"):
        Ancestry({name: "0"}, {})
