"""The multiplier against products of Python's integers."""

import re

import pytest

from qcnpe.rtl.block_queue import FpgaLibrary
from qcnpe.rtl.layouts import mode_bits
from qcnpe.rtl.mac import make_mac
from qcnpe.rtl.shared_multipliers import SharedMultipliers
from qcnpe.spec.config import EngineConfig
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import OracleTest, lane_words, late


class TestMac(OracleTest):
    configs: tuple[EngineConfig, ...] = (
        EngineConfig(),
        EngineConfig(precisions=(16,)),
        EngineConfig(precisions=(16, 8)),
        EngineConfig(precisions=(16, 4, 2)),
        EngineConfig(ncu="gated", precisions=(16, 12, 8, 4)),
        EngineConfig(ncu="plain16", precisions=(16,)),
        EngineConfig(ncu="dsp"),
        EngineConfig(ncu="dsp", precisions=(16, 8)),
        EngineConfig(ncu="dsp", precisions=(16, 4, 2)),
        EngineConfig(ncu="dsp", precisions=(16,)),
    )

    def build(self, config):
        return make_mac(config)

    def operations(self, config, rng):
        lanes = zip(lane_words(rng, 300), lane_words(rng, 300), strict=True)
        modes = rng.integers(0, len(config.precisions), 300).tolist()
        return [
            {
                "activations": left,
                "weights": right,
                "is_unsigned": int(rng.integers(2)),
                **({"mode": mode} if mode_bits(config) else {}),
            }
            for (left, right), mode in zip(lanes, modes, strict=True)
        ]

    def expect(self, config, operations):
        products = [
            {
                "product": exact.dot(
                    operation["activations"],
                    operation["weights"],
                    16 // config.pairs(config.precisions[operation.get("mode", 0)]),
                    unsigned=bool(operation["is_unsigned"]),
                )
            }
            for operation in operations
        ]
        return late(products, 1) if config.is_staged else products


class NarrowMac(SharedMultipliers):
    """The multiplier on an FPGA with 16-bit hard multipliers."""

    def elaborate(self, platform):
        return super().elaborate(FpgaLibrary(multiplier_bits=16))


class TestMacOnNarrowMultipliers(TestMac):
    configs = tuple(config for config in TestMac.configs if config.kind.is_for_fpga)

    def build(self, config):
        return NarrowMac(config)


@pytest.mark.parametrize(("bits", "operands"), [(18, {17, 9}), (16, {16, 9})])
def test_multipliers_are_as_wide_as_the_fpga_has_them(bits, operands):
    library, mac = FpgaLibrary(multiplier_bits=bits), make_mac(EngineConfig(ncu="dsp"))
    rtlil = library.convert(mac, "mac", mac)
    widths = re.findall(r"cell \$mul .*?\\A_WIDTH (\d+)", rtlil, re.DOTALL)
    assert set(map(int, widths)) == operands
