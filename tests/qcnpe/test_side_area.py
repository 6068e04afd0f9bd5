"""The model of a memory side's area: exact where areas follow its parts, and near synthesis."""

import json
from pathlib import Path

import pytest

from qcnpe.side_area import FILE, SideArea, SideAreaModel
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError

BANKS = {2: 4, 3: 8, 4: 8, 5: 16, 8: 16, 16: 32}
"""Default activation banks: the next power of two from twice the rows on."""


def made(rows, cols):
    """An area of known prices."""
    area_um2 = 1000 + 20 * rows + 3 * rows * BANKS[rows] + 7 * cols
    return SideArea(rows=rows, cols=cols, area_um2=area_um2)


@pytest.fixture
def model():
    fitted = [made(rows, cols) for rows, cols in ((2, 2), (4, 9), (8, 2), (16, 5), (5, 7), (3, 3))]
    return SideAreaModel(tuple(fitted), (made(8, 8),))


def test_areas_that_follow_the_parts_are_found_exactly(model):
    assert model.area_um2(EngineConfig(rows=8, cols=4)) == pytest.approx(made(8, 4).area_um2)
    (found,) = model.errors()
    assert found == (made(8, 8), pytest.approx(0.0, abs=1e-9))


@pytest.mark.parametrize(("rows", "cols"), [(1, 4), (17, 4), (4, 1), (4, 10)])
def test_nothing_is_known_outside_of_the_sizes(model, rows, cols):
    assert model.area_um2(EngineConfig(rows=rows, cols=cols)) is None


def test_the_committed_model_is_within_two_percent_of_synthesis():
    model = SideAreaModel.load()
    assert len(model.checked) == 3
    assert not {(each.rows, each.cols) for each in model.checked} & {
        (each.rows, each.cols) for each in model.fitted
    }
    for each, error in model.errors():
        assert abs(error) < 0.02, each


def test_the_report_by_unit_is_one_of_the_areas():
    path = Path(__file__).parents[2] / "results" / "memory_side.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    (square,) = (each for each in SideAreaModel.load().checked if each.rows == 16)
    assert square.area_um2 == results["figures"]["um2"]


def test_too_few_areas_are_refused(tmp_path):
    path = tmp_path / FILE
    document = {"command": "", "library": "", "checked": [], "fitted": []}
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=r"too few areas.*python -m synth\.memory_side_areas"):
        SideAreaModel.load(path)
