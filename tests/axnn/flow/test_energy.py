"""Prices: hand arithmetic on networks small enough to count on paper."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from axnn.data import Classes, DataSet, Split
from axnn.flow.apps import find_app
from axnn.flow.energy import EnergyModel
from axnn.flow.steps import energy_model
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from tests.axnn.tiny import ENGINE, FREE, MEMORIES, TABLE


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
    model = EnergyModel(EnergyPrices({**FREE, f"ncu_mac_{width}b": 0.25}, {}), ENGINE)
    assert model.cost(make_net(width)).energy_pj == pytest.approx(8 * 4 * 0.25)


def test_exact_engine_has_its_own_price():
    prices = {**FREE, "ncu_mac_16b": 3.0, "plain16_mac_16b": 2.0}
    model = EnergyModel(EnergyPrices(prices, {}), ENGINE)
    assert model.exact_cost(make_net(16)).energy_pj == pytest.approx(8 * 4 * 2.0)
    assert model.cost(make_net(16)).energy_pj == pytest.approx(8 * 4 * 3.0)


def free_operands(kind, width, **prices):
    """Prices of what operands do on a kind of NCU, nothing but for what is named."""
    events = dict.fromkeys(("beat", "lane", "zero_flip", "product_toggle", "tile"), 0.0)
    return FREE | {f"{kind}_{event}_{width}b": pj for event, pj in (events | prices).items()}


@pytest.mark.parametrize(("width", "beats"), [(16, 8), (8, 4), (4, 2), (2, 1)])
def test_known_operands_are_priced_by_what_they_do(width, beats):
    prices = free_operands("ncu", width, beat=0.25, tile=10.0)
    model = EnergyModel(EnergyPrices(prices, {}), ENGINE, np.ones((3, 1, 1, 8)))
    assert model.cost(make_net(width)).energy_pj == pytest.approx(4 * (beats * 0.25 + 10.0))


def test_zero_activations_are_not_priced_as_others():
    samples = np.full((64, 1, 1, 8), 0.5)
    samples[:, :, :, ::2] = 0
    prices = free_operands("ncu", 16, lane=1.0) | free_operands("plain16", 16, lane=2.0)
    model = EnergyModel(EnergyPrices(prices, {}), ENGINE, samples)
    assert model.cost(make_net(16)).energy_pj == pytest.approx(4 * 4 * 1.0)
    assert model.exact_cost(make_net(16)).energy_pj == pytest.approx(4 * 4 * 2.0)
    assert model.price(model.counter.count(make_net(16))) == pytest.approx(4 * 4 * 1.0)


@pytest.mark.parametrize("zeros", [1, 63, 64, 99])
def test_all_samples_count_alike(zeros):
    """Also those beyond the batch of the program that is counted."""
    table = EnergyPrices(free_operands("ncu", 16, lane=1.0), {})
    samples = np.concatenate([np.zeros((zeros, 1, 1, 8)), np.full((1, 1, 1, 8), 0.5)])
    model = EnergyModel(table, ENGINE, samples)
    # Counts are whole numbers for a batch of 64.
    assert model.cost(make_net(16)).energy_pj == pytest.approx(8 * 4 / (zeros + 1), abs=0.5 / 64)


def test_energy_is_that_of_a_draw_from_everywhere():
    """A validation part whose first half is zeros: with the first samples energy would be none."""
    labels = np.arange(2000) % 3
    inputs = np.repeat([[0.0], [0.5]], 1000, axis=0) * np.ones((2000, 8))
    split = Split(inputs.astype(np.float32)[:, None, None, :], labels)
    sorted_set = DataSet(
        name="sorted", classes=Classes.numbered(3), train=split, validation=split, test=split
    )
    app = replace(find_app("digits8x8"), engine=ENGINE)
    prices = free_operands("ncu", 16, lane=1.0) | free_operands("plain16", 16)
    for width in ENGINE.narrow_precisions:
        prices |= free_operands("ncu", width)
    table = EnergyPrices(prices, {})
    found = energy_model(table, app, sorted_set).cost(make_net(16)).energy_pj
    # Half of the lanes: 128 drawn out of both halves alike, give or take four deviations.
    assert found == pytest.approx(8 * 4 / 2, rel=4 / np.sqrt(128))
    assert found == energy_model(table, app, sorted_set).cost(make_net(16)).energy_pj


def test_gated_engine_has_its_own_prices():
    config = EngineConfig(rows=4, cols=4, ncu="gated")
    prices = {**FREE, "ncu_mac_8b": 3.0, "gated_mac_8b": 2.0}
    found = EnergyModel(EnergyPrices(prices, {}), config).cost(make_net(8))
    assert found.energy_pj == pytest.approx(8 * 4 * 2.0)


def test_units_around_the_exact_ncus_have_their_own_prices_where_there_are_some():
    own = {"plain16_mac_16b": 0.0, "plain16_afu_cycle": 2.0, "plain16_idle_cycle": 1.0}
    prices = EnergyPrices(
        FREE | {"ncu_mac_16b": 0.0, "afu_cycle": 7.0, "skew_cycle": 3.0} | own, {}
    )
    events = {"afu_cycle": 10, "skew_cycle": 100, "ncu_idle_cycle": 1000}
    exact = replace(ENGINE, ncu="plain16", precisions=(16,))
    assert prices.for_engine(exact).cost_pj(events) == 10 * 2.0 + 100 * 3.0 + 1000 * 1.0
    assert prices.for_engine(ENGINE).cost_pj(events) == 10 * 7.0 + 100 * 3.0


def test_memories_are_apart_and_every_word_passes_one():
    # 64 samples on 4 rows: 16 tiles of 8 beats, 4 activation and 4 weight words each; a bias and
    # a shift a neuron and tile, 2 words each; 16 bits a result, 1 word.
    prices = dict(zip(MEMORIES, (1.0, 20.0, 300.0, 4000.0, 0.0, 0.0), strict=True))
    prices = {**FREE, **prices, "ncu_mac_16b": 0.5}
    cost = EnergyModel(EnergyPrices(prices, {}), ENGINE).cost(make_net(16))
    operands = 16 * 8 * (4 * 1.0 + 4 * 300.0)
    assert cost.memory_pj * 64 == pytest.approx(operands + 16 * 4 * 2 * 4000.0 + 16 * 4 * 4 * 20.0)
    assert cost.energy_pj == pytest.approx(8 * 4 * 0.5)


def test_external_memory_gives_fetched_operands_and_takes_results():
    # The four weight lanes of eight beats stay while the 16 tiles change their activations.
    words = 8 * 4 + 16 * 8 * 4 + 16 * 4 * 2 + 16 * 4 * 4
    prices = {**FREE, "ncu_mac_16b": 0.5, "external_word": 300.0}
    cost = EnergyModel(EnergyPrices(prices, {}), ENGINE).cost(make_net(16))
    assert cost.external_pj * 64 == pytest.approx(300.0 * words)
    assert cost.memory_pj == 0


def test_memories_leak_in_every_cycle():
    prices = {**FREE, "ncu_mac_16b": 0.0, "memory_leakage_cycle": 2.0}
    cost = EnergyModel(EnergyPrices(prices, {}), ENGINE).cost(make_net(16))
    assert cost.memory_pj == pytest.approx(2.0 * cost.cycles)


def test_results_are_priced_one_by_one():
    prices = {**FREE, "ncu_mac_8b": 0.0, "afu_identity": 5.0}
    cost = EnergyModel(EnergyPrices(prices, {}), ENGINE).cost(make_net(8))
    assert cost.energy_pj == pytest.approx(4 * 5.0)
    assert cost.layers_pj == (cost.energy_pj,)


def test_narrower_is_cheaper_and_never_slower():
    costs = [EnergyModel(TABLE, ENGINE).cost(make_net(width)) for width in (16, 8, 4, 2)]
    for wide, narrow in pairwise(costs):
        assert narrow.energy_pj < wide.energy_pj
        assert narrow.cycles <= wide.cycles


def test_event_without_a_price_is_named():
    model = EnergyModel(EnergyPrices(FREE, {}), ENGINE)
    with pytest.raises(FormatError, match="no price for ncu_mac_4b"):
        model.cost(make_net(4))
    with pytest.raises(FormatError, match="no price for plain16_mac_16b"):
        model.exact_cost(make_net(16))


@pytest.mark.parametrize("samples", [None, np.ones((3, 1, 1, 8))], ids=["alone", "samples"])
def test_widths_without_prices_are_all_named_before_anything_is_counted(samples):
    config = EngineConfig(rows=4, cols=4, ncu="gated", precisions=(16, 12, 8, 3))
    EnergyModel(EnergyPrices.load(), replace(config, precisions=(16, 8)), samples).check_prices()
    message = (
        "^there are no prices of ncu gated at 12, 3 bits; use prices that have them, or"
        " an engine of other widths$"
    )
    with pytest.raises(FormatError, match=message):
        EnergyModel(EnergyPrices.load(), config, samples).check_prices()
    no_exact = {
        name: price for name, price in EnergyPrices.load().pj.items() if "plain" not in name
    }
    with pytest.raises(FormatError, match="no prices of ncu plain16 at 16 bits"):
        EnergyModel(EnergyPrices(no_exact, {}), ENGINE, samples).check_prices()


def test_table_is_read_from_a_file(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"pj": {"queue_lane": 1}, "provenance": {"cells": "x"}}))
    assert EnergyPrices.load(path) == EnergyPrices({"queue_lane": 1.0}, {"cells": "x"})


DAMAGED = ["", "[]", "{}", '{"pj": 3}', '{"pj": {"a": "b"}}', '{"pj": {"a": null}}', "\xff{"]
DAMAGED += ['{"pj": {"a": NaN}}', '{"pj": {"a": Infinity}}', '{"pj": {"a": 1e999}}']
DAMAGED += ['{"pj": {"a": true}}', '{"pj": {"a": 1}, "price": {}}', '{"pj": ' + "[" * 100_000]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_table_is_one_clear_error(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=r"^[^\n]*t\.json: [^\n]+$"):
        EnergyPrices.load(path)


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({"a": 1, "b": -0.5}, "price of b must be a finite number of pJ, at least 0, not -0.5"),
        ({}, "there is no energy price; make prices with `make synth`"),
    ],
)
def test_impossible_price_is_refused(tmp_path, prices, message):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"pj": prices}))
    with pytest.raises(FormatError, match=rf"t\.json: .*{message}"):
        EnergyPrices.load(path)
    with pytest.raises(FormatError, match=message):
        EnergyPrices(prices, {})


def test_price_that_is_no_number_is_refused_from_python_too():
    with pytest.raises(FormatError, match="price of a must be a finite number of pJ"):
        EnergyPrices({"a": float("nan")}, {})


def test_missing_table_is_one_clear_error(tmp_path):
    with pytest.raises(FormatError, match=r"none\.json: no such file; check its path"):
        EnergyPrices.load(tmp_path / "none.json")
