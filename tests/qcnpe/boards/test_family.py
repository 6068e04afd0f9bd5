"""Synthesis for a family of FPGAs: units once, then one flat netlist of the chip's cells."""

import re

import pytest

from qcnpe.boards.family import ECP5, ICE40
from qcnpe.rtl.block_queue import FpgaLibrary
from qcnpe.rtl.ncu_array import NcuArray
from qcnpe.spec.config import EngineConfig
from qcnpe.yosys import run_yosys


@pytest.mark.parametrize(
    ("family", "multiplier"), [(ECP5, "MULT18X18D"), (ICE40, "SB_MAC16")], ids=["ecp5", "ice40"]
)
@pytest.mark.parametrize("in_luts", [False, True], ids=["", "in_luts"])
def test_equal_units_are_mapped_once(family, multiplier, in_luts, tmp_path):
    family = family.in_luts if in_luts else family
    library = FpgaLibrary(multiplier_bits=family.multiplier_bits)
    array = NcuArray(EngineConfig(rows=2, cols=2, ncu="dsp", precisions=(16,)))
    top = library.convert(array, "top", array)
    (tmp_path / "top.il").write_text("".join((*library.modules.values(), top)))
    log = run_yosys(["read_rtlil top.il", *family.synthesis("top")], tmp_path)
    statistics = log[log.rindex("Printing statistics") :]
    cells = {kind: int(n) for n, kind in re.findall(r"(\d+) +(\w+)$", statistics, re.MULTILINE)}
    (ncu,) = (name for name in library.modules if name.startswith("qcnpe_ncu_dsp"))
    passes = [
        log.count(f"Extracting $alu and $macc cells in module {name}:") for name in ("top", ncu)
    ]
    assert passes[0] == passes[1] > 0
    assert not any(kind.startswith("qcnpe_") for kind in cells)
    assert cells.get(multiplier, 0) == (0 if in_luts else 4)
