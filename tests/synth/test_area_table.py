"""The engines of the area model: which they are, and that a known unit is not mapped again."""

from dataclasses import replace

import pytest

from qcnpe.spec.config import EngineConfig
from synth import flow
from synth.area_table import areas, checked_engines, fitted_engines
from synth.flow import UnitReport, map_units
from synth.mapping import GenericGates
from synth.units import short_name

ENGINE = EngineConfig(rows=1, cols=2, ncu="plain16", precisions=(16,))


@pytest.fixture
def mapped(monkeypatch):
    """Names of the units that are mapped; each has an area of one."""
    names: list[str] = []

    def report(job, cells, folder):
        names.append(short_name(job.module))
        return UnitReport(names[-1], job.places, {}, 0, 1.0)

    monkeypatch.setattr(flow, "_map_job", report)
    return names


def test_the_engines_of_the_check_are_others():
    fitted, checked = fitted_engines(), checked_engines()
    assert len(checked) == len(set(checked)) == 10
    assert len(fitted) == len(set(fitted))
    assert not set(fitted) & set(checked)


def test_known_units_are_counted_and_not_mapped_again(mapped, tmp_path):
    units = map_units(ENGINE, GenericGates(), tmp_path, known={})
    known = {unit.name: replace(unit, area_um2=5.0) for unit in units if unit.name != "sequencer"}
    mapped.clear()
    again = map_units(ENGINE, GenericGates(), tmp_path, known=known)
    assert mapped == ["sequencer"]
    assert {unit.name: unit.places for unit in again} == {unit.name: unit.places for unit in units}
    assert {unit.area_um2 for unit in again} == {1.0, 5.0}


def test_a_second_engine_of_the_same_size_maps_only_what_its_name_does_not_say(mapped, monkeypatch):
    monkeypatch.setattr("synth.area_table.choose_cells", GenericGates)
    told = []
    first, second = areas([ENGINE, ENGINE], {}, lambda: told.append(1))
    assert (first, len(told)) == (second, 2)
    repeated = {name for name in mapped if mapped.count(name) == 2}
    assert repeated
    assert not any(any(letter.isdigit() for letter in name) for name in repeated)
    assert not repeated & {"row_skew", "col_skew"}
