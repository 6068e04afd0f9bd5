"""Memories: prices at the sizes of the engine's memories, from a table that CACTI makes."""

import json
from pathlib import Path

import pytest

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from synth.cacti import COMPARED, parse
from synth.energy_table import TABLE
from synth.errors import SynthesisError
from synth.memories import memory_prices_pj, on_chip, read_memories

OUTPUT = """
    Access time (ns): 1.06385
    Total dynamic read energy per access (nJ): 0.00613702
    Total dynamic write energy per access (nJ): 0.00787807
    Total leakage power of a bank (mW): 0.000171523
    Total gate leakage power of a bank (mW): 8.52611e-05
    Cache height x width (mm): 0.191586 x 0.137105
"""


def test_sizes_are_those_of_an_autonomous_engine() -> None:
    # 64 kB of activations in 32 banks of 16 bits, 128 kB of weights, 512 rows of parameters.
    sizes = {"activation": (2048, 16, 32), "weight": (131072, 256, 1), "parameter": (4096, 64, 1)}
    assert on_chip(EngineConfig()) == sizes


def test_words_have_16_bits_of_an_access() -> None:
    memories = read_memories()
    prices = memory_prices_pj(memories, EngineConfig())
    weight = memories.sram_of(131072, 256)
    assert prices["weight_memory_read"] == pytest.approx(weight.read_pj / 16)
    assert prices["activation_memory_write"] == memories.sram_of(2048, 16).write_pj
    assert prices["external_word"] == pytest.approx(1300 / 4)
    leakage_uw = 32 * memories.sram_of(2048, 16).leakage_uw + weight.leakage_uw
    leakage_uw += memories.sram_of(4096, 64).leakage_uw
    assert prices["memory_leakage_cycle"] == pytest.approx(leakage_uw * 2e-3)  # uW x 2 ns
    with pytest.raises(SynthesisError, match="no memory of 8192 bytes and 16 bits"):
        memory_prices_pj(memories, EngineConfig(rows=4, cols=4))


def test_committed_prices_are_those_of_the_table() -> None:
    committed = json.loads(TABLE.read_text())["pj"]
    for event, price in memory_prices_pj(read_memories(), EngineConfig()).items():
        assert committed[event] == pytest.approx(price, rel=1e-3), event


def test_table_agrees_with_another_source_within_a_factor_of_two() -> None:
    """Horowitz, ISSCC 2014: 10, 20 and 100 pJ for 64 bits of 8 KB, 32 KB and 1 MB at 0.9 V."""
    memories = read_memories()
    for (size, bits), published in zip(COMPARED, (10.0, 20.0, 100.0), strict=True):
        assert 0.5 < memories.sram_of(size, bits).read_pj / published < 2


def test_output_of_cacti_is_read_in_our_units() -> None:
    found = parse(OUTPUT, 8192, 64)
    assert (found.read_pj, found.write_pj, found.access_ns) == (6.137, 7.878, 1.064)
    assert found.leakage_uw == pytest.approx(0.2568)
    assert found.area_um2 == pytest.approx(191.586 * 137.105, rel=1e-3)
    with pytest.raises(SynthesisError, match="CACTI gives no access_ns for 8192 bytes"):
        parse(OUTPUT.replace("Access time", ""), 8192, 64)


def test_damaged_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "memories.json"
    path.write_text("{}")
    with pytest.raises(FormatError, match="missing required field"):
        read_memories(path)
