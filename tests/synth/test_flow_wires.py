"""Wires: lengths by netlist or by fan-out, loads from them, and lengths of a floorplan."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from synth.annotate import annotate
from synth.errors import SynthesisError
from synth.floorplan import Floorplan
from synth.flow import own_cells
from synth.liberty.library import Library
from synth.netlist import Netlist, Placed, Port
from synth.wires import (
    OUTSIDE_UM,
    FanoutLengths,
    RoutedUnit,
    Wires,
    committed_wires,
    read_wires,
    sinks,
)

TABLE = FanoutLengths((1.0, 3.0), (4.0, 10.0))
FF_PER_UM = 0.5


@cache
def library() -> Library:
    """Our own cells."""
    return own_cells().library


def two_inverters(first: str = "INV_X1") -> Netlist:
    """Input 2, an inverter, net 3, an inverter, output 4; net 3 leaves the unit, too."""
    placed = (
        Placed("a", first, {"A": 2, "ZN": 3}),
        Placed("b", "INV_X2", {"A": 3, "ZN": 4}),
    )
    ports = {"i": Port("input", (2,)), "o": Port("output", (4,)), "middle": Port("output", (3,))}
    return Netlist("chain", placed, ports, {})


def routed(netlist: Netlist) -> Wires:
    """Wires of a routed netlist: 7, 11 and 13 um."""
    unit = RoutedUnit(
        netlist_sha256=netlist.sha256, width_um=5.0, height_um=6.0, um=(0, 0, 7, 11, 13)
    )
    return Wires(TABLE, {"chain": unit}, FF_PER_UM)


def pins_ff() -> tuple[float, float]:
    """Input capacitances of the two inverters."""
    models = library().models(["INV_X1", "INV_X2"])
    return models["INV_X1"].capacitance_ff["A"], models["INV_X2"].capacitance_ff["A"]


def loads(netlist: Netlist, wires: Wires) -> list[float]:
    """Loads of the three nets."""
    models = library().models(sorted({cell.cell for cell in netlist.placed}))
    found = annotate(netlist, models, wires).loads_ff
    return [found[net] for net in (2, 3, 4)]


def test_loads_of_a_routed_unit_are_its_own_lengths() -> None:
    netlist = two_inverters()
    wires = routed(netlist)
    assert wires.lengths(netlist).routed == "chain"
    first, second = pins_ff()
    outside = 7 * FF_PER_UM + wires.outside_ff  # the wire of the next unit's input
    wanted = [first + 3.5, second + 5.5 + outside, 6.5 + outside]
    assert loads(netlist, wires) == pytest.approx(wanted)


def test_lengths_of_another_netlist_are_not_used() -> None:
    wires = routed(two_inverters())
    other = two_inverters("INV_X4")
    found = wires.lengths(other)
    assert found.routed is None
    assert found.um == {2: 4.0, 3: 7.0, 4: 4.0}  # one sink, two, one
    renamed = replace(other, placed=tuple(replace(cell, name="x") for cell in other.placed))
    assert renamed.sha256 == other.sha256


def test_mean_lengths_by_fanout() -> None:
    assert [TABLE.length_um(count) for count in (1, 2, 3, 6)] == [4.0, 7.0, 10.0, 20.0]
    with pytest.raises(SynthesisError, match="must ascend"):
        FanoutLengths((2.0, 1.0), (1.0, 1.0))
    with pytest.raises(SynthesisError, match="as many lengths as sinks"):
        FanoutLengths((2.0,), ())


def test_more_capacitance_takes_more_load_in_proportion() -> None:
    netlist = two_inverters()
    bare = loads(netlist, routed(netlist).at(0.0))
    once, twice = (loads(netlist, routed(netlist).at(ff)) for ff in (0.1, 0.2))
    assert [b - a for a, b in zip(bare, twice, strict=True)] == pytest.approx(
        [2 * (b - a) for a, b in zip(bare, once, strict=True)]
    )
    with pytest.raises(SynthesisError, match="ff_per_um must be at least 0"):
        routed(netlist).at(-0.1)


def test_constants_and_open_nets_have_no_wires() -> None:
    placed = (Placed("a", "NAND2_X1", {"A1": 0, "A2": 1, "ZN": 2}),)
    assert sinks(Netlist("tied", placed, {}, {})) == {}


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wires.json"
    table = {"sinks": [1.0, 0.5], "um": [1.0, 1.0]}
    path.write_text(json.dumps({"by_fanout": table, "units": {}, "provenance": {}}))
    with pytest.raises((FormatError, SynthesisError), match="must ascend"):
        read_wires(path)
    path.write_text("{")
    with pytest.raises(FormatError, match=r"wires\.json"):
        read_wires(path)


def test_committed_lengths_are_those_of_routed_ncus_at_45_nm() -> None:
    """A net with one sink spans a few cells, which are about 1 to 3 um wide."""
    wires = committed_wires()
    table = wires.by_fanout
    assert 2 < table.length_um(1) < 8
    assert table.length_um(16) > 10 * table.length_um(1)
    assert wires.routed.keys() == {"fused", "plain16", "gated"}
    for unit in wires.routed.values():
        assert 45 < unit.width_um < 60
        assert 8 < sum(unit.um) / sum(length > 0 for length in unit.um) < 10


def test_floorplan_against_sums_by_hand() -> None:
    plan = Floorplan(rows=2, cols=4, ncu_width_um=10.0, ncu_height_um=20.0)
    assert (plan.width_um, plan.height_um) == (40.0, 40.0)
    # 20 between the halves; in each, 20 between two rows; in each of these, 10 between two NCUs
    assert plan.clock_tree_um == pytest.approx(20 + 2 * 20 + 4 * 10)
    with pytest.raises(SynthesisError, match="rows must be above 0, not 0"):
        replace(plan, rows=0)


def test_floorplan_takes_the_outline_of_the_routed_unit() -> None:
    config = EngineConfig(rows=4, cols=4)
    unit = RoutedUnit(netlist_sha256="", width_um=40.0, height_um=50.0, um=())
    plan = Floorplan.of(config, Wires(TABLE, {config.ncu: unit}))
    assert (plan.ncu_width_um, plan.ncu_height_um, plan.rows) == (40.0, 50.0, 4)
    assert Floorplan.of(config, Wires(TABLE)).ncu_width_um == OUTSIDE_UM
