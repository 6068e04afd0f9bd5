"""Prices: hand arithmetic on networks small enough to count on paper."""

import json
from itertools import pairwise

import numpy as np
import pytest

from axnn.energy import EnergyModel, EnergyTable
from axnn.netspec import LayerSpec, NetworkSpec
from axnn.network import Network
from axnn.quantize import calibrate, to_integers, uniform_precision
from qcnpe.spec.errors import FormatError
from tests.axnn.tiny import ENGINE, TABLE

FREE = dict.fromkeys(("ncu_idle_cycle", "afu_identity", "requantize", "fifo_word"), 0.0)


def make_net(width: int):
    """Eight inputs, four neurons: one full column block of a 4x4 engine."""
    spec = NetworkSpec(
        name="block",
        input_shape=(1, 1, 8),
        layers=(LayerSpec(kind="dense", channels=4, function="identity"),),
    )
    network = Network(spec, seed=0)
    precision = uniform_precision(network, width)
    inputs = np.random.default_rng(0).random((4, 1, 1, 8)).astype(np.float32)
    scales = calibrate(network, inputs, precision, ENGINE)
    return to_integers(network, scales, precision, ENGINE)


@pytest.mark.parametrize("width", [16, 8, 4, 2])
def test_macs_are_priced_by_their_width(width):
    model = EnergyModel(EnergyTable({**FREE, f"ncu_mac_{width}b": 0.25}, {}), ENGINE)
    assert model.cost(make_net(width)).energy_pj == pytest.approx(8 * 4 * 0.25)


def test_exact_engine_has_its_own_price():
    prices = {**FREE, "ncu_mac_16b": 3.0, "plain16_mac_16b": 2.0}
    model = EnergyModel(EnergyTable(prices, {}), ENGINE)
    assert model.exact_cost(make_net(16)).energy_pj == pytest.approx(8 * 4 * 2.0)
    assert model.cost(make_net(16)).energy_pj == pytest.approx(8 * 4 * 3.0)


def test_results_are_priced_one_by_one():
    prices = {**FREE, "ncu_mac_8b": 0.0, "afu_identity": 5.0}
    cost = EnergyModel(EnergyTable(prices, {}), ENGINE).cost(make_net(8))
    assert cost.energy_pj == pytest.approx(4 * 5.0)
    assert cost.layers_pj == (cost.energy_pj,)


def test_narrower_is_cheaper_and_never_slower():
    costs = [EnergyModel(TABLE, ENGINE).cost(make_net(width)) for width in (16, 8, 4, 2)]
    for wide, narrow in pairwise(costs):
        assert narrow.energy_pj < wide.energy_pj
        assert narrow.cycles <= wide.cycles


def test_event_without_a_price_is_named():
    model = EnergyModel(EnergyTable(FREE, {}), ENGINE)
    with pytest.raises(FormatError, match="no price for ncu_mac_4b"):
        model.cost(make_net(4))
    with pytest.raises(FormatError, match="no price for plain16_mac_16b"):
        model.exact_cost(make_net(16))


def test_table_is_read_from_a_file(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"pj": {"fifo_word": 1}, "provenance": {"cells": "x"}}))
    assert EnergyTable.load(path) == EnergyTable({"fifo_word": 1.0}, {"cells": "x"})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pj": 3}', '{"pj": {"a": "b"}}', "\xff{"])
def test_damaged_table_is_one_clear_error(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=r"t\.json: not an energy table"):
        EnergyTable.load(path)


def test_missing_table_says_how_to_make_it(tmp_path):
    with pytest.raises(FormatError, match="no such energy table; make it with `make synth`"):
        EnergyTable.load(tmp_path / "none.json")
