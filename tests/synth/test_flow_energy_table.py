"""The energy table: it prices what programs count, and a part of it can be made again."""

import json
from itertools import pairwise

import pytest

from qcnpe.events import EventCounts
from qcnpe.spec.activation import Function
from synth.energy_table import TABLE, GateCounts, energy_per_um2_pj
from synth.flow import choose_cells


@pytest.fixture(scope="module")
def table() -> dict[str, float]:
    """The committed prices in pJ."""
    prices: dict[str, float] = json.loads(TABLE.read_text())["pj"]
    return prices


def test_prices_every_event_that_programs_count(table: dict[str, float]) -> None:
    counts = EventCounts(
        macs=dict.fromkeys((16, 8, 4, 2), 1), afu_ops={f.name.lower(): 1 for f in Function}
    )
    assert set(table) == {*counts.events(), "plain16_mac_16b"}
    assert min(table.values()) > 0


def test_narrow_macs_are_cheaper(table: dict[str, float]) -> None:
    prices = [table[f"ncu_mac_{width}b"] for width in (16, 8, 4, 2)]
    assert all(wide > 2 * narrow for wide, narrow in pairwise(prices))


def test_density_lies_within_the_published_units() -> None:
    # 45 nm, 0.9 V: a 32-bit adder 0.1 pJ on 137 um2, a 32-bit multiplier 3.1 pJ on 3,495 um2.
    scale = (1.1 / 0.9) ** 2
    assert 0.1 / 137 * scale < energy_per_um2_pj() < 3.1 / 3495 * scale


def test_a_part_made_again_agrees_within_2_percent(table: dict[str, float]) -> None:
    counts = GateCounts(choose_cells())
    again = {
        "requantize": counts.requantize_um2(),
        "ncu_mac_4b": counts.ncu_um2(4) / 4,
        "afu_identity": counts.afu_um2(Function.IDENTITY),
    }
    for event, area in again.items():
        assert area * energy_per_um2_pj() == pytest.approx(table[event], rel=0.02), event
