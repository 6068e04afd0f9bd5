"""Synthesis: instances of units, cells of a netlist, its function, and messages of failures."""

import json
import re
from pathlib import Path

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.requantize import Requantize
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import BusyError
from qcnpe.terminal import Console
from qcnpe.tools.lock import only_writer
from qcnpe.yosys import run_yosys
from synth.errors import LibertyError, SynthesisError
from synth.flow import (
    DEFAULT_LIBERTY,
    Cells,
    SynthesisReport,
    choose_cells,
    map_design,
    synthesize,
)
from synth.mapping import GenericGates, LibertyCells
from synth.report import as_json, render, run
from synth.units import elaborate_units, leaf_rtlil
from tests.hostile import WEIRD

SMALL = EngineConfig(rows=2, cols=3, precisions=(16, 8), table_segments=8, fifo_depth=2)
CELLS = pytest.mark.parametrize(
    "cells", [GenericGates(), choose_cells([DEFAULT_LIBERTY])], ids=["generic", "liberty"]
)


def count(text: str, kind: str) -> int:
    """Number of placed cells of a kind in a Verilog netlist."""
    return sum(line.strip().startswith(f"{kind} ") for line in text.splitlines())


def test_each_unit_is_placed_as_often_as_the_engine_needs_it() -> None:
    places = elaborate_units(SMALL).places

    def of(prefix: str) -> list[int]:
        return [n for name, n in places.items() if name.startswith(prefix)]

    assert of("qcnpe_ncu_fused") == [2 * 3]
    assert of("qcnpe_ncu_row") == of("qcnpe_afu") == of("qcnpe_requantize") == [2]
    assert of("qcnpe_engine") == [1, 1, 1, 1, 1]
    # Commands, activations, weights, parameters, and the tiles' queue.
    assert sum(of("qcnpe_fifo")) == 5
    assert of("qcnpe_result_queue") == [2]


@CELLS
def test_queue_has_the_flipflops_that_it_must(cells: Cells, tmp_path: Path) -> None:
    width, depth = 5, 4
    queue = Fifo(width=width, depth=depth)
    counts = map_design(leaf_rtlil(queue), queue.module_name, cells, tmp_path / "queue.v")
    stored, pointers, level = width * depth, 2 * depth, 3  # pointers are one-hot
    flipflops = sum(n for cell, n in counts.items() if cells.is_flipflop(cell))
    assert flipflops == stored + pointers + level
    text = (tmp_path / "queue.v").read_text()
    if isinstance(cells, LibertyCells):  # generic gates are written as expressions
        assert all(count(text, cell) == n for cell, n in counts.items())
        gates = sum(n for cell, n in counts.items() if cell in cells.library.clock_gates)
        assert gates == depth + 2  # one a word and pointer; the level is too small for one


def test_names_of_folders_and_files_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ABC reads the library, and is started by a shell."""
    folder = tmp_path / WEIRD
    folder.mkdir()
    library = folder / f"{WEIRD}.lib"
    library.write_text(DEFAULT_LIBERTY.read_text())
    queue = Fifo(width=2, depth=2)
    rtlil, name = leaf_rtlil(queue), queue.module_name
    plain = map_design(rtlil, name, choose_cells(quick=True), tmp_path / "queue.v")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.chdir(folder)
    weird = map_design(rtlil, name, choose_cells([library], quick=True), folder / f"{WEIRD}.v")
    assert weird == plain
    assert (folder / f"{WEIRD}.v").read_text() == (tmp_path / "queue.v").read_text()
    assert {path.suffix for path in folder.iterdir()} == {".lib", ".v", ".json"}


@CELLS
def test_netlist_computes_what_the_unit_does(cells: Cells, tmp_path: Path) -> None:
    unit, netlist = Requantize(SMALL), tmp_path / "unit.v"
    rtlil = leaf_rtlil(unit)
    map_design(rtlil, unit.module_name, cells, netlist)
    assert proven_equal(rtlil, netlist, unit.module_name, cells, tmp_path)


def test_a_wrong_netlist_is_seen(tmp_path: Path) -> None:
    unit, other, netlist = Requantize(SMALL), EngineConfig(precisions=(16, 8)), tmp_path / "unit.v"
    assert other.precisions == SMALL.precisions
    map_design(leaf_rtlil(unit), unit.module_name, GenericGates(), netlist)
    text = netlist.read_text()
    at = text.index("~(", text.index("assign "))
    netlist.write_text(text[:at] + text[at + 1 :])  # one inverting gate less
    assert not proven_equal(leaf_rtlil(unit), netlist, unit.module_name, GenericGates(), tmp_path)


def proven_equal(rtlil: str, netlist: Path, top: str, cells: Cells, folder: Path) -> bool:
    """Whether a SAT solver finds no input for which a combinational netlist differs."""
    scratch = folder / "proof"
    scratch.mkdir()
    (scratch / "wanted.il").write_text(rtlil)
    (scratch / "mapped.v").symlink_to(netlist)
    functions = []
    if isinstance(cells, LibertyCells):  # as the file has them, not as we rewrite them
        (scratch / "original.lib").symlink_to(cells.library.paths[0])
        functions = ["read_liberty -ignore_miss_func original.lib"]
    log = run_yosys(
        [
            *functions,
            "read_verilog mapped.v",
            f"rename {top} mapped",
            "read_rtlil wanted.il",
            f"rename {top} wanted",
            "setattr -mod -unset top wanted",  # flatten would drop all that is not below a top
            "proc",
            "flatten",
            "miter -equiv -flatten wanted mapped miter",
            "sat -prove trigger 0 miter",
        ],
        scratch,
    )
    assert "SAT proof finished" in log
    return "no model found: SUCCESS" in log


def test_report_adds_up_and_is_written(tmp_path: Path) -> None:
    config = EngineConfig(
        rows=1, cols=2, ncu="plain16", precisions=(16,), table_segments=8, fifo_depth=2
    )
    (tmp_path / "netlists").mkdir()
    (tmp_path / "netlists" / "other_engine.v").touch()
    report = run(config, tmp_path, quick=True, console=Console(quiet=True))
    stored = json.loads((tmp_path / "synth.json").read_text())
    total = sum(unit["places"] * unit["area_um2"] for unit in stored["units"])
    assert stored["area_um2"] == pytest.approx(total, rel=1e-4)
    assert stored["area_um2"] == pytest.approx(report.area_um2, rel=1e-4)
    netlists = [path.read_text() for path in (tmp_path / "netlists").glob("*.v")]
    assert len(netlists) == len(report.units)
    placed = sum(count(text, "DFFQ_XL") for text in netlists)
    assert placed == sum(unit["cells"].get("DFFQ_XL", 0) for unit in stored["units"]) > 0
    console = Console(record=True, width=120, file=(tmp_path / "log").open("w"))
    console.print(render(report))
    shown = console.export_text()
    assert f"{report.area_um2:,.0f}" in shown
    assert "over plain16" in shown
    assert set(stored["over_plain16_at_16_bits_percent"]) == {"fused", "gated"}


def test_area_of_generic_gates_needs_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.flow.DEFAULT_LIBERTY", tmp_path / "none.lib")
    report = SynthesisReport(SMALL, choose_cells().name, (), (), 1.0)
    assert as_json(report)["over_plain16_at_16_bits_percent"] == {}
    assert "over plain16" not in str(render(report).caption)


def test_netlists_are_replaced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second synthesis in the folder is refused; a failed one leaves the first one's results."""
    (tmp_path / "netlists").mkdir()
    (tmp_path / "netlists" / "other_engine.v").touch()
    quiet = Console(quiet=True)
    with only_writer(tmp_path), pytest.raises(BusyError, match="another command is writing here"):
        run(SMALL, tmp_path, quick=True, console=quiet)

    def synthesize_one(config: EngineConfig, folder: Path, *_: object, **__: object) -> object:
        map_design(leaf_rtlil(Fifo(width=1, depth=2)), "qcnpe_fifo_1x2", GenericGates(), folder)
        raise SynthesisError("no more")

    monkeypatch.setattr("synth.report.synthesize", synthesize_one)
    with pytest.raises(SynthesisError, match="no more"):
        run(SMALL, tmp_path, quick=True, console=quiet)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "netlists"}
    assert [path.name for path in (tmp_path / "netlists").iterdir()] == ["other_engine.v"]


def test_ncus_for_fpgas_are_mapped_with_all_their_precisions(tmp_path: Path) -> None:
    """The structural NCU has none of their registers; it was built without narrow products."""
    config = EngineConfig(
        rows=1, cols=1, ncu="dsp", precisions=(16, 8), table_segments=8, fifo_depth=2
    )
    dsp = synthesize(config, tmp_path, quick=True)
    assert any("ncu dsp is laid out for an FPGA" in note for note in dsp.notes)
    assert [unit.name for unit in dsp.units if "ncu_dsp" in unit.name] == ["ncu_dsp_p16_8_a40"]
    assert not any("structural" in unit.name or "reverse" in unit.name for unit in dsp.units)


def test_a_foreign_library_s_adders_make_the_tree(tmp_path: Path) -> None:
    """Our own library without the cell by which it is recognised."""
    text = DEFAULT_LIBERTY.read_text().replace("cell (FAI_XS)", "cell (OTHER)")
    (tmp_path / "other.lib").write_text(text)
    config = EngineConfig(
        rows=1, cols=1, ncu="plain16", precisions=(16,), table_segments=8, fifo_depth=2
    )
    other = synthesize(config, tmp_path, [tmp_path / "other.lib"], quick=True)
    own = synthesize(config, tmp_path, quick=True)
    for report, adder in ((other, "FAI_XL"), (own, "FAI_XS")):
        assert f"adder trees of NCUs are made of full adders {adder}" in report.notes
        assert not any("behaviour" in note for note in report.notes)
        ncu = next(unit for unit in report.units if "structural_ncu_plain16" in unit.name)
        assert ncu.cells[adder] > 200  # 256 bit products to be added


class Multiply(Leaf):
    """A product of two signed operands."""

    clocked = False
    module_name = "multiply"

    def __init__(self) -> None:
        super().__init__({"a": In(signed(5)), "b": In(signed(5)), "product": Out(signed(10))})

    def build(self) -> Module:
        """One multiplication."""
        m = Module()
        m.d.comb += self.product.eq(self.a * self.b)
        return m


ADDER = """cell (SUMMER) {{ area : {area};
  pin (P) {{ direction : input; capacitance : 1.5; }}
  pin (Q) {{ direction : input; capacitance : 1.5; }}
  pin (R) {{ direction : input; capacitance : 1.5; }}
  pin (S) {{ direction : output; function : "(P ^ Q) ^ R"; }}
  pin (K) {{ direction : output; function : "(P Q) + (R (P + Q))"; }}
}}
"""


@pytest.mark.parametrize("adders", [True, False], ids=["adders", "none"])
def test_multipliers_are_made_of_a_library_s_own_full_adders(tmp_path: Path, adders: bool) -> None:
    own = DEFAULT_LIBERTY.read_text().replace("library (axnn45)", "library (other)")
    kept = re.sub(r"\n  cell \((?:HA|FA|FAI)_\w+\) \{\n.*?\n  \}(?=\n)", "", own, flags=re.DOTALL)
    assert "cell (FA" not in kept
    end = kept.rindex("}")
    (tmp_path / "other.lib").write_text(kept[:end] + ADDER.format(area=4) * adders + kept[end:])
    cells = choose_cells([tmp_path / "other.lib"], quick=True)
    assert any("made of full adders SUMMER" in note for note in cells.notes) is adders
    assert any("no full adder" in note for note in cells.notes) is not adders
    rtlil, netlist = leaf_rtlil(Multiply()), tmp_path / "multiply.v"
    placed = map_design(rtlil, "multiply", cells, netlist)
    assert (placed.get("SUMMER", 0) > 10) is adders
    assert proven_equal(rtlil, netlist, "multiply", cells, tmp_path)


def test_missing_library_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LibertyError, match=r"none\.lib: no such file; name a Liberty file"):
        synthesize(SMALL, tmp_path, [tmp_path / "none.lib"])


def test_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SynthesisError, match=r"Not a directory; choose a folder"):
        synthesize(SMALL, blocked / "below")
