"""The user's data: what is said of them must fit them; what is learnt is learnt on the training."""

import os

import numpy as np
import pytest

from axnn.data import DataSet, OwnData
from axnn.errors import DataError


@pytest.fixture
def table(tmp_path):
    """A table of 100 rows, every tenth of the rare class."""
    rng = np.random.default_rng(2)
    path = tmp_path / "table.csv"
    rows = [
        f"{rng.normal():.6f},{rng.normal(3):.6f},{'rare' if i % 20 == 0 else 'often'}"
        for i in range(100)
    ]
    path.write_text("a,b,y\n" + "\n".join(rows) + "\n")
    return path


def test_scaling_does_not_see_the_other_parts(table):
    """Samples of the test part that are changed change nothing but themselves."""
    first = DataSet.read(table, label="y", seed=1)
    lines = table.read_text().splitlines()
    values = first.test.inputs[:, 1, 0, 0] * first.scaling.span[1] + first.scaling.offset[1]
    moved = 0
    for place, line in enumerate(lines[1:], 1):
        a, b, label = line.split(",")
        if np.abs(values - float(b)).min() < 1e-6:
            lines[place] = f"{a},{float(b) + 100},{label}"
            moved += 1
    assert moved == len(first.test) == 20
    table.write_text("\n".join(lines) + "\n")
    second = DataSet.read(table, label="y", seed=1)
    assert second.scaling == first.scaling
    assert second.digest == first.digest
    assert second.test.digest != first.test.digest


def test_rare_classes_and_small_parts_are_told(table):
    notes = "\n".join(DataSet.read(table, label="y").notes)
    assert "1 of 2 classes are rare: 'rare' has 5 samples, 'often' 95" in notes
    assert "the validation part has 20 samples, each of which is 5.0 percentage points" in notes


def test_a_file_that_changes_is_read_anew(table):
    before = DataSet.read(table, label="y")
    assert DataSet.read(table, label="y") is before
    table.write_text(table.read_text().replace("rare", "seldom"))
    os.utime(table, (1, 1))
    assert DataSet.read(table, label="y").classes.names == ("often", "seldom")


@pytest.mark.parametrize(
    ("path", "how", "message"),
    [
        ("x.csv", {"side": 3}, "x.csv: tables have no side"),
        ("x.npz", {"label": "y"}, "x.npz: arrays have no label"),
        ("x.csv", {"target": "y", "class_weights": True}, "a target has no classes"),
        ("x.npz", {"reads": (1, 2, 3)}, "is for imported networks; leave it out"),
        ("x", {"group": "y"}, "x: pictures have no group"),
        ("x.csv", {"missing": "guess"}, "missing must be median or refuse, not 'guess'"),
        ("x", {"side": 0}, r"side must be 1..512, not 0"),
    ],
)
def test_what_the_kind_of_data_does_not_have_is_refused(path, how, message):
    with pytest.raises(DataError, match=message):
        OwnData.at(path, **how)


def test_the_place_is_absolute(table, monkeypatch):
    monkeypatch.chdir(table.parent)
    assert OwnData.at("table.csv", label="y").path == str(table)
