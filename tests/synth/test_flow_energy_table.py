"""The energy prices: every counted event has one, and some are measured again."""

import hashlib
import json
from itertools import pairwise
from typing import Any

import pytest

from qcnpe.events import EventCounts, OperandActivity
from qcnpe.spec.activation import Function
from synth.energy_table import RESULTS, TABLE, keep_others
from synth.engine_units import UNITS
from synth.flow import DEFAULT_LIBERTY, own_cells
from synth.mapping import LibertyCells
from synth.measure import measure_ncu
from synth.ncu_variants import PLAIN
from synth.overheads import overheads_percent
from synth.structural import StructuralNcu
from synth.traces import TRACE, load


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The committed file of prices."""
    found: dict[str, Any] = json.loads(TABLE.read_text())
    return found


@pytest.fixture(scope="module")
def prices(document: dict[str, Any]) -> dict[str, float]:
    """The committed prices in pJ."""
    found: dict[str, float] = document["pj"]
    return found


@pytest.fixture(scope="module")
def cells() -> LibertyCells:
    """Our own library."""
    return own_cells()


def test_prices_every_event_that_programs_count(prices: dict[str, float]) -> None:
    each = dict.fromkeys((16, 8, 4, 2), 1)
    functions = {f.name.lower(): 1 for f in Function}
    counts = EventCounts(
        macs=each,
        ncu_beats=each,
        ncu_tiles=each,
        lane_words=each,
        afu_ops=functions,
        result_fields=each,
    )
    known = counts.events(dict.fromkeys(each, OperandActivity()))
    assert {*counts.events(), *known} <= set(prices)
    of_any_kind = ("ncu_idle_cycle", "ncu_edge_beat", "ncu_result")
    ncus = [event for event in known if event.startswith("ncu_") and event not in of_any_kind]
    assert {event.replace("ncu_", "gated_") for event in ncus} <= set(prices)
    plain = {event.replace("ncu_", "plain16_") for event in ncus if event.endswith("16b")}
    assert plain <= set(prices)
    assert min(prices.values()) >= 0
    clocks = [prices[f"{unit}_cycle"] for unit in UNITS if unit != "ncu"]
    assert min(*clocks, prices["afu_relu"], prices["ncu_mac_2b"]) > 0


def test_narrow_macs_are_cheaper(prices: dict[str, float]) -> None:
    macs = [prices[f"ncu_mac_{width}b"] for width in (16, 8, 4, 2)]
    assert all(wide > 1.7 * narrow for wide, narrow in pairwise(macs))
    assert prices["ncu_idle_cycle"] < prices["ncu_zero_beat"] < prices["ncu_mac_16b"]


def test_says_what_it_was_made_from(document: dict[str, Any]) -> None:
    made_from = document["provenance"]
    for path, key in ((DEFAULT_LIBERTY, "library_sha256"), (TRACE, "trace_sha256")):
        assert made_from[key] == hashlib.sha256(path.read_bytes()).hexdigest(), f"remake: {path}"


def test_a_part_made_again_agrees_within_2_percent(
    prices: dict[str, float], cells: LibertyCells
) -> None:
    plain = measure_ncu(StructuralNcu(PLAIN), cells, load(), priced=True)
    again = {
        "plain16_mac_16b": plain.beats[16].total_fj,
        "plain16_beat_16b": plain.prices[16].beat,
        "plain16_lane_16b": plain.prices[16].lane,
        "plain16_zero_flip_16b": plain.prices[16].zero_flip,
        "plain16_product_toggle_16b": plain.prices[16].product_toggle,
        "plain16_tile_16b": plain.prices[16].tile,
    }
    for event, energy in again.items():
        assert energy / 1000 == pytest.approx(prices[event], rel=0.02), event


def test_overheads_are_those_of_the_figures(document: dict[str, Any]) -> None:
    figures = json.loads(RESULTS.read_text())["figures"]
    for kind in ("fused", "gated"):
        for quantity, key, plain in (
            ("energy", f"{kind}_16b_pj_per_mac", "plain16_pj_per_mac"),
            ("area", f"{kind}_area_um2", "plain16_area_um2"),
            ("path", f"{kind}_path_ns", "plain16_path_ns"),
        ):
            percent = 100 * (figures[key] - figures[plain]) / figures[plain]
            shown = figures[f"{kind}_over_plain16_{quantity}_percent"]
            assert shown == pytest.approx(percent, abs=0.1)
            assert overheads_percent(document["ncu_16b"])[kind][quantity] == shown


def test_figures_of_other_commands_stay() -> None:
    before = {
        "sources": {"count_*": "other", "spice": "other"},
        "figures": {"count_error": 1.0, "spice": 2.0, "gone": 3.0},
    }
    made = {"sources": {"spice": "mine"}, "figures": {"spice": 4.0, "new": 5.0}, "seed": 1}
    assert keep_others(made, before) == {
        "sources": {"count_*": "other", "spice": "mine"},
        "figures": {"spice": 4.0, "new": 5.0, "count_error": 1.0},
        "seed": 1,
    }
    assert keep_others(made, {}) == made


def test_gate_level_energy_is_near_spice() -> None:
    assert 0 < json.loads(RESULTS.read_text())["figures"]["spice_error_max"] <= 0.2


def test_results_show_the_overhead_of_being_configurable(prices: dict[str, float]) -> None:
    figures = json.loads(RESULTS.read_text())["figures"]
    for width in (16, 8, 4, 2):
        alone = figures[f"fused_{width}b_pj_per_mac"]
        assert alone == pytest.approx(prices[f"ncu_mac_{width}b"], rel=1e-3)
    assert figures["plain16_area_um2"] < figures["fused_area_um2"]
    assert figures["default_mul_16b_pj_per_mac"] > figures["plain16_pj_per_mac"]
