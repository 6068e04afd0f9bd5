"""The table of all kinds of NCUs in a library: ratios and texts, from made-up figures."""

from dataclasses import replace

import pytest

from qcnpe.terminal import Console
from synth.measure import Energy, NcuFigures
from synth.ncu_table import NcuTable, figures_of


def ncu(area_um2: float, path_ns: float, **beats: float) -> NcuFigures:
    """Figures of an NCU; energies of a cycle in fJ by width."""
    energies = {int(width[1:]): Energy({"tree": energy}) for width, energy in beats.items()}
    still = Energy({"leakage": 30.0})
    return NcuFigures(area_um2, path_ns, 900, 90, energies, energies, still, still, {})


TABLE = NcuTable(
    "other45",
    2000.0,
    {
        "fused": ncu(2200.0, 1.8, w16=1050, w8=1000, w4=960, w2=800),
        "gated": ncu(2100.0, 1.9, w16=1020, w8=600, w4=400, w2=300),
        "plain16": ncu(2000.0, 2.0, w16=1000),
    },
)


def test_energies_are_for_each_multiplication() -> None:
    """A lane of `fused` has 16 / width pairs, one of `gated` has one."""
    assert TABLE.pj_per_mac("fused", 4) == pytest.approx(0.240)
    assert TABLE.pj_per_mac("gated", 4) == pytest.approx(0.400)
    assert TABLE.wide_to_narrow == pytest.approx(1.05 / 0.1)
    assert TABLE.overheads_percent == {
        "fused": {"energy": 5.0, "area": 10.0, "path": -10.0},
        "gated": {"energy": 2.0, "area": 5.0, "path": -5.0},
    }


def test_figures_for_the_results_have_the_library_s_name() -> None:
    found = figures_of(TABLE, "other")
    assert found["other_fused_2b_pj_per_mac"] == pytest.approx(0.1)
    assert found["other_fused_over_plain16_energy_percent"] == pytest.approx(5.0)
    assert found["other_plain16_path_ns"] == pytest.approx(2.0)
    assert found["other_fused_16_to_2_bits"] == pytest.approx(10.5)
    assert found["other_clock_mhz"] == pytest.approx(500)


def test_the_terminal_shows_energies_clock_and_overheads() -> None:
    console = Console(record=True, width=120)
    console.print(replace(TABLE, period_ps=5300.0).render())
    shown = console.export_text()
    for text in ("other45", "189 MHz", "1.05", "0.24", "energy +5.0 %", "16 to 2 bit: 10.5"):
        assert text in shown
