"""A memory against a Python list, and as a place for a foundry's macro."""

import re

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from qcnpe.generate import component_verilog
from qcnpe.rtl.component import Component
from qcnpe.rtl.leaf import ModuleLibrary
from qcnpe.rtl.memory.sram import MacroLibrary, Sram
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest

WIDTH, DEPTH, GRANULARITY = 12, 5, 4


class TestSram(OracleTest):
    configs = (EngineConfig(rows=1, cols=1),)

    def build(self, config):
        return Sram(width=WIDTH, depth=DEPTH, granularity=GRANULARITY)

    def operations(self, config, rng):
        """Each word is written once; then reads and writes of parts, never of the same word."""
        operations = [
            {"write_address": word, "write_enable": 7, "write_data": int(rng.integers(1 << WIDTH))}
            for word in range(DEPTH)
        ]
        for _ in range(200):
            read, write = rng.choice(DEPTH, 2, replace=False).tolist()
            operations.append(
                {
                    "read_address": read,
                    "read_enable": int(rng.integers(2)),
                    "write_address": write,
                    "write_enable": int(rng.integers(8)),
                    "write_data": int(rng.integers(1 << WIDTH)),
                }
            )
        return operations

    def expect(self, config, operations):
        words, shown = [0] * DEPTH, None
        outputs: list[dict[str, int]] = []
        for operation in operations:
            outputs.append({} if shown is None else {"read_data": shown})
            if operation.get("read_enable"):
                shown = words[operation["read_address"]]
            for part in np.flatnonzero([operation["write_enable"] >> n & 1 for n in range(3)]):
                mask = 15 << GRANULARITY * int(part)
                old = words[operation["write_address"]]
                words[operation["write_address"]] = old & ~mask | operation["write_data"] & mask
        return outputs


class Reader(Component):
    """Something with two equal memories."""

    def __init__(self):
        super().__init__({"address": In(5), "a": Out(16), "b": Out(16)})

    def elaborate(self, platform):
        m = Module()
        for name in ("a", "b"):
            m.submodules[name] = memory = Sram(width=16, depth=32, granularity=8)
            m.d.comb += [
                memory.read_address.eq(self.address),
                memory.read_enable.eq(1),
                getattr(self, name).eq(memory.read_data),
            ]
        return m


def modules(library):
    verilog = component_verilog(Reader(), "reader", library)
    return verilog, re.findall(r"^module (\w+)", verilog, re.MULTILINE)


def test_a_memory_has_one_module_and_no_first_contents():
    verilog, found = modules(ModuleLibrary())
    assert found == ["qcnpe_sram_32x16_by_8", "reader"]
    assert "initial" not in verilog


def test_a_macro_may_take_its_place():
    verilog, found = modules(MacroLibrary(prefix="my_"))
    assert found == ["reader"]
    instance = verilog.split("my_qcnpe_sram_32x16_by_8")[1].partition(";")[0]
    assert re.findall(r"\.(\w+)\(", instance) == [
        "clk",
        "read_address",
        "read_data",
        "read_enable",
        "write_address",
        "write_data",
        "write_enable",
    ]


def test_parts_are_whole():
    with pytest.raises(ValueError, match="granularity must divide the width of 12, not 8"):
        Sram(width=12, depth=4, granularity=8)
