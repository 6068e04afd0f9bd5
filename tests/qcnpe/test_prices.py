"""Prices for an engine: those of its kind of NCU, and of the size of its array."""

import pytest

from qcnpe.memory_events import MEMORY_UNITS
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError

SIZES = {4: {"axi_cycle": 2.0}, 16: {"axi_cycle": 8.0}}


@pytest.mark.parametrize(
    ("rows", "cols", "price"),
    [(4, 4, 2), (16, 16, 8), (10, 10, 5), (4, 28, 5), (12, 4, 5), (2, 2, 2)],
)
def test_units_around_an_engine_cost_what_its_size_says(rows, cols, price):
    """On the line between two sizes; below them as at the smallest one."""
    prices = EnergyPrices({"axi_cycle": 8.0, "afu_relu": 1.0}, {}, sizes=SIZES)
    config = EngineConfig(rows=rows, cols=cols)
    for own in (prices.for_engine(config), prices.for_engine(config).for_engine(config)):
        assert own.cost_pj({"axi_cycle": 1}) == pytest.approx(price)
        assert own.cost_pj({"afu_relu": 1}) == 1
    assert prices.knows_array(config) == ((rows, cols) in {(4, 4), (16, 16)})


def test_nothing_is_known_of_larger_arrays():
    own = EnergyPrices({"axi_cycle": 8.0, "afu_relu": 1.0}, {}, sizes=SIZES).for_engine(
        EngineConfig(rows=16, cols=17)
    )
    assert own.cost_pj({"afu_relu": 3}) == 3
    with pytest.raises(FormatError, match="no price for axi_cycle"):
        own.cost_pj({"axi_cycle": 1})


def test_prices_of_a_file_are_for_all_sizes():
    prices = EnergyPrices({"axi_cycle": 8.0}, {})
    config = EngineConfig(rows=3, cols=5)
    assert prices.for_engine(config).cost_pj({"axi_cycle": 2}) == 16
    assert prices.knows_array(config)


def test_committed_sizes_price_the_same_events():
    prices = EnergyPrices.load()
    assert sorted(prices.sizes) == [4, 8, 16]
    for size, own in prices.sizes.items():
        assert prices.knows_array(EngineConfig(rows=size, cols=size))
        assert set(own) == set(prices.sizes[16]) <= set(prices.pj)
        assert {event.partition("_cycle")[0] for event in own} >= set(MEMORY_UNITS)
    # A unit that serves more rows and columns has more flip-flops, each of which the clock reaches.
    for unit in ("fetch", "write_back", "banks"):
        cycle = [prices.sizes[size][f"{unit}_cycle"] for size in (4, 8, 16)]
        assert cycle == sorted(cycle)
