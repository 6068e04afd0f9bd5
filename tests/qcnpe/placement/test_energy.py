"""Energy of runs of images: each part has the events that happen in it, and no others."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.events import EventCounts
from qcnpe.memory_events import count_memory_events
from qcnpe.placement.build import place_network
from qcnpe.placement.energy import image_energy, is_estimate
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from tests.qcnpe.networks import dense_layer, network

BUS_WORDS = 4
"""16-bit words of a bus word."""


@pytest.fixture(scope="module")
def image():
    """Two dense layers of 16 bits, a sample for each row."""
    net = network(dense_layer(24, 6), dense_layer(6, 3))
    config = MemoryConfig.default(EngineConfig(rows=4, cols=4))
    return place_network(net, config, 4).image


def energy(image, *, first=False, **pj):
    """Energy with some prices; all other events cost nothing."""
    events = {
        *EventCounts(afu_ops={"identity": 1}).events(),
        *count_memory_events(image, first=True),
    }
    events |= {
        f"{unit}_{kind}_16b"
        for unit in ("queue", "sequencer", "skew", "row", "afu")
        for kind in ("word", "sum")
    }
    prices = {**dict.fromkeys([*events, "ncu_mac_16b", "result_16b"], 0.0), **pj}
    return image_energy(EnergyPrices(prices, {}), image, first=first)


def test_external_words_are_those_of_the_bus(image):
    for first in (True, False):
        count = count_run(image, first=first)
        found = energy(image, first=first, external_word=2.0)
        words = BUS_WORDS * (count.words_read + count.words_written)
        assert found.external_pj == found.total_pj == 2.0 * words


def test_engine_computes_each_product_and_waits_in_all_other_cycles(image):
    macs = 4 * (24 * 6 + 6 * 3)
    assert energy(image, ncu_mac_16b=1.0).engine_pj == macs
    cycles = count_run(image, first=False).cycles
    assert energy(image, ncu_idle_cycle=1.0).engine_pj == 16 * cycles - macs


def test_units_of_the_memory_side_take_what_happens_in_them(image):
    cycles = count_run(image, first=False).cycles
    found = energy(image, fetch_cycle=3.0, axi_cycle=1.0, memory_leakage_cycle=0.5)
    assert found.side_pj["fetch"] == 3.0 * cycles
    assert found.parts["memory_side"] == 4.0 * cycles
    assert found.memory_pj == 0.5 * cycles
    # Of every beat, a row of the weights is read: 4 columns, 24 + 24 + 6 beats and no more.
    assert energy(image, weight_memory_read=1.0).memory_pj == 4 * (24 + 24 + 6)


def test_sums(image):
    found = energy(image, fetch_cycle=3.0, external_word=2.0, ncu_mac_16b=1.0)
    twice = found + found
    assert twice.total_pj == pytest.approx(found.scaled(2).total_pj) == 2 * found.total_pj
    assert found.parts["total"] == pytest.approx(sum(found.parts.values()) / 2)


def test_events_without_a_price_are_refused(image):
    with pytest.raises(FormatError, match="no price"):
        image_energy(EnergyPrices({"ncu_mac_16b": 1.0}, {}), image, first=False)


def test_committed_prices_price_all_events(image):
    parts = image_energy(EnergyPrices.load(), image, first=True).parts
    assert all(np.isfinite(pj) and pj > 0 for pj in parts.values())


def test_an_estimate_is_called_one():
    prices = EnergyPrices.load()
    measured = MemoryConfig.default(EngineConfig(rows=16, cols=16, ncu="gated"))
    assert not is_estimate(prices, measured)
    assert not is_estimate(prices, MemoryConfig.default(EngineConfig(rows=4, cols=4)))
    assert is_estimate(prices, replace(measured, bus_bits=128))
    assert is_estimate(prices, replace(measured, weight_rows=100))
    assert is_estimate(prices, MemoryConfig.default(EngineConfig(rows=16, cols=8)))
