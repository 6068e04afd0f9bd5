"""A kind of neural compute unit that only this file adds works in every part of the chain."""

import json
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Value

from axnn.flow.energy import EnergyModel
from qcnpe.cli.options import engine_config
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.generate import generate
from qcnpe.prices import EnergyPrices
from qcnpe.random_work import random_streams
from qcnpe.rtl.mac import Mac, add_in_pairs, make_mac
from qcnpe.spec import ncu_kind
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.model import execute
from qcnpe.spec.ncu_kind import DSP, GATED, NcuKind, add_kind
from qcnpe.spec.qnet import QuantNet
from tests.qcnpe.networks import random_layer
from tests.qcnpe.rtl.engine_bench import EngineBench


class Adders(Mac):
    """Products made of shifted weights, without a multiplication."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for precision in self._cases(m):
            lows = range(0, OPERAND_BITS, precision)
            m.d.comb += self.product.eq(add_in_pairs([self._row(low, precision) for low in lows]))
        return m

    def _row(self, low: int, precision: int) -> Value:
        activation = self.activations[low : low + precision]
        weight = self.weights[low : low + precision].as_signed()
        addends = [Mux(bit, weight, 0) << place for place, bit in enumerate(activation)]
        top = addends.pop()
        return add_in_pairs([*addends, Mux(self.is_unsigned, top, -top)])


KIND = NcuKind(
    name="adders",
    code=9,
    widths=(16, 8, 4),
    is_packed=True,
    price_prefix="adders",
    multiplier=f"{__name__}:Adders",
)


PRICED = [("adders", 16), ("adders", 8), ("adders", 4), ("plain16", 16)]


@pytest.fixture(autouse=True)
def _added(monkeypatch):
    """Add the kind for one test."""
    monkeypatch.setattr(ncu_kind, "_KINDS", dict(ncu_kind._KINDS))
    add_kind(KIND)


def make_config(**values) -> EngineConfig:
    return EngineConfig(rows=2, cols=2, ncu="adders", precisions=(16, 8, 4), **values)


def test_rtl_is_the_model():
    config = make_config()
    streams = random_streams(config, 30, 1, max_beats=12)
    bench = EngineBench(config)
    np.testing.assert_array_equal(bench.run(streams), execute(config, streams).results)
    assert bench.busy_cycles == count_cycles(config, streams.decode(config))


def test_networks_are_compiled_for_it():
    rng, geometry = np.random.default_rng(1), Geometry.dense(6, 4)
    layers = (random_layer(rng, geometry, widths=(16, 8, 4)),)
    net = QuantNet(name="net", input_fraction_bits=15, layers=layers)
    program = compile_network(net, make_config(), 5)
    inputs = rng.integers(-20000, 20000, (5, 6)).astype(np.int16)
    outputs = Driver(ModelTransport(program.config)).run(program, inputs)
    np.testing.assert_array_equal(outputs, infer(net, inputs))


def test_verilog_and_register_map_name_it(tmp_path):
    made = generate(make_config(), tmp_path)
    assert "module qcnpe_ncu_adders_p16_8_4_a40(" in made.verilog.read_text()
    registers = json.loads(made.manifest.read_text())["registers"]
    (field,) = (
        field for register in registers for field in register["fields"] if field["name"] == "ncu"
    )
    assert field["meaning"].endswith("3: dsp, 9: adders")
    assert "9: adders" in (tmp_path / "registers.md").read_text()


def test_command_line_takes_its_name():
    assert engine_config(2, 2, "16,8,4,2", "adders") == make_config()


def test_it_has_prices_of_its_own():
    config = make_config()
    prices = {f"{prefix}_mac_{width}b": 1.0 for prefix, width in PRICED}
    EnergyModel(EnergyPrices(prices, {}), config).check_prices()
    others = {f"ncu_{name.partition('_')[2]}": price for name, price in prices.items()}
    table = EnergyPrices({**others, "adders_mac_16b": 1.0}, {})
    with pytest.raises(FormatError, match="no prices of ncu adders at 8, 4 bits"):
        EnergyModel(table, config).check_prices()


def test_widths_that_it_lacks_are_refused():
    message = "^precisions of ncu adders must be out of 16,8,4, not 16,2$"
    with pytest.raises(ConfigError, match=message):
        EngineConfig(ncu="adders", precisions=(16, 2))


def test_shared_multipliers_refuse_lanes_that_are_not_packed():
    """A field of 9 bits does not fit beside another."""
    add_kind(replace(GATED, name="shared", code=11, multiplier=DSP.multiplier))
    config = EngineConfig(rows=1, cols=1, ncu="shared", precisions=(16, 9))
    with pytest.raises(ConfigError, match=r"^ncu shared must be packed for shared multipliers"):
        make_mac(config)


@pytest.mark.parametrize("multiplier", ["nowhere", "no.module:Adders", f"{__name__}:Nothing"])
def test_a_multiplier_that_is_not_there_is_refused(multiplier):
    add_kind(
        NcuKind(name="broken", code=10, widths=(16,), price_prefix="broken", multiplier=multiplier)
    )
    config = EngineConfig(rows=1, cols=1, ncu="broken", precisions=(16,))
    with pytest.raises(ConfigError, match=r"^ncu broken must name a multiplier as module:class"):
        make_mac(config)
