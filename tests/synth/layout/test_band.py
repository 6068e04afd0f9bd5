"""The band of wires: figures of each row, and that longer wires take more energy."""

import pytest

from qcnpe.spec.config import OPERAND_BITS
from synth.flow import own_cells
from synth.layout.band import BandRow, figures, measure
from synth.measure import make_bench
from synth.ncu_variants import FUSED, PLAIN
from synth.structural import StructuralNcu
from synth.traces import load


def test_figures_of_a_row() -> None:
    row = BandRow({16: 0.9, 2: 0.1}, plain16_pj=0.75, path_ns=1.5)
    assert row.overhead_percent == pytest.approx(20.0)
    assert figures({"0.13": row}) == {
        "band_0.13_fused_16b_pj_per_mac": 0.9,
        "band_0.13_fused_2b_pj_per_mac": 0.1,
        "band_0.13_plain16_pj_per_mac": 0.75,
        "band_0.13_overhead_percent": 20.0,
        "band_0.13_path_ns": 1.5,
    }


def test_wires_of_more_capacitance_take_more_energy_and_time() -> None:
    cells = own_cells()
    configs = {"fused": FUSED, "plain16": PLAIN}
    benches = {name: make_bench(StructuralNcu(config), cells) for name, config in configs.items()}
    few = {OPERAND_BITS: load()[OPERAND_BITS][:2]}
    none, all_of_it = (measure(benches, own_cells(cells.wires.at(ff)), few) for ff in (0.0, 0.2))
    assert none.fused_pj[OPERAND_BITS] < all_of_it.fused_pj[OPERAND_BITS]
    assert none.plain16_pj < all_of_it.plain16_pj
    assert none.path_ns < all_of_it.path_ns
