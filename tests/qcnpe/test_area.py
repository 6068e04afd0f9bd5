"""The model of an engine's area: exact where areas follow its parts, and near synthesis."""

import json
from dataclasses import asdict

import pytest

from qcnpe.area import AreaModel, EngineArea
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, FormatError

WIDTHS = ((16,), (16, 8), (16, 4), (16, 2), (16, 8, 4, 2))


def made_up_area(config: EngineConfig) -> float:
    """Square micrometres: so many for each NCU, row and column."""
    ncu = {"fused": 1500, "gated": 1600}[config.ncu] + 100 * (8 in config.precisions)
    return 5000 + config.rows * config.cols * ncu + 7000 * config.rows + 900 * config.cols


def engine(rows: int, cols: int, widths: tuple[int, ...], ncu: str = "fused") -> EngineArea:
    config = EngineConfig(rows=rows, cols=cols, precisions=widths, ncu=ncu)
    return EngineArea(
        rows=rows, cols=cols, precisions=widths, ncu=ncu, area_um2=made_up_area(config)
    )


@pytest.fixture
def model() -> AreaModel:
    sizes = ((2, 3), (8, 4), (4, 8), (16, 4), (4, 16), (16, 16))
    fitted = tuple(engine(*size, widths) for widths in WIDTHS for size in sizes)
    return AreaModel("made up", fitted, (engine(12, 20, (16, 8)),))


def test_areas_that_follow_the_parts_are_found_exactly(model):
    for rows, cols, widths in ((3, 5, (16, 8)), (32, 32, (16,)), (32, 9, (16, 8, 4, 2))):
        config = EngineConfig(rows=rows, cols=cols, precisions=widths)
        assert model.area_um2(config) == pytest.approx(made_up_area(config), rel=1e-6)
    [(config, error)] = model.errors()
    assert (config.rows, config.cols) == (12, 20)
    assert abs(error) < 1e-6


def test_an_unknown_kind_is_refused(model):
    with pytest.raises(ConfigError, match="the area of ncu gated is not known, only of fused"):
        model.area_um2(EngineConfig(ncu="gated"))


def test_too_few_engines_are_refused(tmp_path):
    path = tmp_path / "areas.json"
    fitted = [asdict(engine(4, 4, (16,)))] * 3
    document = {"command": "c", "library": "l", "fitted": fitted, "checked": []}
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=r"areas\.json: too few engines"):
        AreaModel.load(path)


def test_the_committed_model_is_within_five_percent_of_ten_other_engines():
    model = AreaModel.load()
    known = {each.config for each in model.fitted}
    checked = dict(model.errors())
    assert len(checked) == 10
    assert not known & checked.keys()
    assert max(map(abs, checked.values())) <= 0.05
