"""The committed cell library: complete, consistent with the transistors, readable by the tools."""

import itertools
import re
from pathlib import Path

import pytest

from qcnpe.spec.errors import ToolMissingError
from synth.library.cells import CATALOGUE, Cell, library
from synth.library.characterize import design_hash
from synth.library.errors import ModelFileError
from synth.library.gate_energy import GateSimulator, Instance, LibertyCell, LibertyFile, Toggle
from synth.library.liberty_writer import number, sdf_condition
from synth.library.models import SHA256, model_cards, model_file
from synth.library.network import Widths, gate
from synth.library.sdf import merge_conditions
from synth.library.spice_check import multiplier
from synth.library.switch_level import SwitchLevel
from synth.library.technology import TECHNOLOGY
from synth.library.verify import differences
from synth.library.verilog import verilog_expression, write_verilog
from synth.library.walk import TransitionGraph

TECH = Path(__file__).parents[2] / "synth" / "tech"
LIBERTY, VERILOG = TECH / "axnn45.lib", TECH / "axnn45.v"
NAMES = list(library())
LOGIC = [n for n, c in library().items() if c.kind == "logic"]
CLOCKED = [n for n, c in library().items() if c.kind in ("flipflop", "latch", "clockgate")]


@pytest.fixture(scope="module")
def liberty() -> LibertyFile:
    """The committed file."""
    return LibertyFile.read(LIBERTY)


def function_of(expression: str, values: dict[str, int]) -> int:
    """Value of a Liberty expression, computed with Python's operators."""
    text = re.sub(r"!", "1 ^ ", expression)
    text = re.sub(r"1 \^ (\w+)", r"(1 ^ \1)", text)
    return eval(text, {"__builtins__": {}}, values) & 1  # names and operators of our own file only


def test_the_file_names_its_models_and_the_netlists_it_was_made_from() -> None:
    text = LIBERTY.read_text()
    assert SHA256 in text
    assert design_hash() in text, "cells changed since: run `make library`"


def test_every_cell_is_in_the_file(liberty: LibertyFile) -> None:
    assert list(liberty.cells) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_cell_has_area_leakage_and_energy(name: str, liberty: LibertyFile) -> None:
    cell = liberty.cells[name]
    assert library()[name].area_um2 > 0
    assert cell.leakage_nw > 0
    if library()[name].kind != "tie":
        assert cell.timing
        assert cell.power
        assert set(cell.capacitance_ff) == set(library()[name].inputs)


@pytest.mark.parametrize("name", LOGIC)
def test_transistors_do_what_the_file_says(name: str) -> None:
    cell = library()[name]
    text = cell_text(name)
    written = dict(re.findall(r'pin \((\w+)\) \{[^{]*?function : "?(.*?)"?;', text, re.S))
    simulator = SwitchLevel(cell)
    for levels in itertools.product((0, 1), repeat=len(cell.inputs)):
        values = dict(zip(cell.inputs, levels, strict=True))
        simulator.drive(values)
        got = {o: simulator.state()[o] for o in cell.outputs}
        assert got == {o: function_of(written[o], values) for o in cell.outputs}, values


def cell_text(name: str) -> str:
    """The body of one cell of the file."""
    found = re.search(rf"^  cell \({name}\) \{{\n(.*?)^  \}}$", LIBERTY.read_text(), re.M | re.S)
    assert found
    return found[1]


@pytest.mark.parametrize("name", [n for n in CLOCKED if n.startswith("DFF")])
def test_flipflops_take_data_on_the_rising_edge_only(name: str) -> None:
    graph = TransitionGraph(library()[name])
    pins = graph.cell.pins
    for (state, pin), after in graph.next.items():
        old, new = dict(zip(pins, state, strict=True)), dict(zip(pins, after, strict=True))
        rising = pin == "CK" and new["CK"] == 1
        assert new["Q"] == (old["D"] if rising else old["Q"])
        assert new.get("QN", 1 - new["Q"]) == 1 - new["Q"]


@pytest.mark.parametrize("name", [n for n in CLOCKED if n.startswith("DLH")])
def test_latches_follow_while_enabled(name: str) -> None:
    graph = TransitionGraph(library()[name])
    for (state, _), after in graph.next.items():
        old = dict(zip(graph.cell.pins, state, strict=True))
        new = dict(zip(graph.cell.pins, after, strict=True))
        assert new["Q"] == (new["D"] if new["G"] else old["Q"])


@pytest.mark.parametrize("name", [n for n in CLOCKED if n.startswith("CLKGATE")])
def test_clock_gates_decide_while_the_clock_is_low(name: str) -> None:
    graph = TransitionGraph(library()[name])
    for (state, pin), after in graph.next.items():
        old = dict(zip(graph.cell.pins, state, strict=True))
        new = dict(zip(graph.cell.pins, after, strict=True))
        if pin == "CK":
            assert new["GCK"] == (new["CK"] and old["E"])
        else:
            assert new["GCK"] == old["GCK"], "the enable must not touch a running pulse"


@pytest.mark.parametrize("name", [n for n in NAMES if library()[n].kind != "tie"])
def test_delays_and_transitions_rise_with_the_load(name: str, liberty: LibertyFile) -> None:
    for arc in liberty.cells[name].timing:
        for kind, table in arc.tables.items():
            if kind.endswith("_constraint"):
                continue
            for row in table.rows:
                # Behind a very slow input ramp a light load does not set the transition at all.
                slack = 0.03 if kind.endswith("_transition") else 0.01
                assert all(b > a - slack * a for a, b in itertools.pairwise(row)), (kind, row)


@pytest.mark.parametrize("name", CLOCKED)
def test_clocked_cells_have_setup_and_hold(name: str, liberty: LibertyFile) -> None:
    kinds = {k for a in liberty.cells[name].timing for k in a.tables}
    assert {"rise_constraint", "fall_constraint"} <= kinds
    setup = constraint(liberty.cells[name], "setup", name)
    hold = constraint(liberty.cells[name], "hold", name)
    # Data must be steady for some time: the window around the edge is never empty.
    for before, after in zip(setup, hold, strict=True):
        assert -0.005 < before + after < 0.3


def constraint(cell: LibertyCell, relation: str, name: str) -> list[float]:
    """All entries of a cell's setup or hold tables."""
    text = cell_text(name)
    group = re.search(rf"timing_type : {relation}_\w+;\n(.*?)^      \}}", text, re.M | re.S)
    assert group
    rows = re.findall(r"values \((.*)\)", group[1])
    assert cell.timing
    return [float(x) for row in rows for x in re.findall(r"-?[\d.]+(?:e-?\d+)?", row)]


def test_half_drive_cells_cost_less_and_fit_the_same_place(liberty: LibertyFile) -> None:
    small, full = liberty.cells["FA_XL"], liberty.cells["FA_X1"]
    assert small.leakage_nw < full.leakage_nw
    assert all(small.capacitance_ff[p] < full.capacitance_ff[p] for p in ("A", "B", "CI"))
    assert library()["FA_XL"].area_um2 <= library()["FA_X1"].area_um2


@pytest.mark.parametrize(
    ("name", "area_um2", "pin", "capacitance_ff"),
    [
        # Published 45 nm cells (Nangate Open Cell Library, typical corner), for orientation: the
        # rules are ours, so the test only catches mistakes of a factor.
        ("INV_X1", 0.532, "A", 1.6),
        ("NAND2_X1", 0.798, "A1", 1.6),
        ("XOR2_X1", 1.596, "A", 2.2),
        ("FA_X1", 4.256, "A", 3.7),
        ("DFF_X1", 4.522, "D", 1.1),
    ],
)
def test_cells_are_of_the_size_of_published_ones(
    name: str,
    area_um2: float,
    pin: str,
    capacitance_ff: float,
    liberty: LibertyFile,
) -> None:
    assert library()[name].area_um2 == pytest.approx(area_um2, rel=0.2)
    assert liberty.cells[name].capacitance_ff[pin] == pytest.approx(capacitance_ff, rel=0.4)


def test_fanout_of_four_delay_is_that_of_45_nm(liberty: LibertyFile) -> None:
    cell = liberty.cells["INV_X1"]
    load = 4 * cell.capacitance_ff["A"]
    tables = cell.timing[0].tables
    slew = 0.02
    for _ in range(20):  # the transition that an endless chain of such inverters settles at
        slew = (
            tables["rise_transition"].at(slew, load) + tables["fall_transition"].at(slew, load)
        ) / 2
    delay = (tables["cell_rise"].at(slew, load) + tables["cell_fall"].at(slew, load)) / 2
    assert 0.012 < delay < 0.025


def test_an_expression_becomes_dual_networks() -> None:
    made = gate("Z", "A & B | C", Widths(0.2, 0.3), TECHNOLOGY)
    pull_down = {(t.gate, t.drain, t.source) for t in made if t.polarity == "n"}
    assert pull_down == {("A", "Z", "Z_n1"), ("B", "Z_n1", "VSS"), ("C", "Z", "VSS")}
    pull_up = [t for t in made if t.polarity == "p"]
    assert sorted(t.gate for t in pull_up) == ["A", "B", "C"]
    assert {t.gate for t in pull_up if "VDD" in (t.drain, t.source)} in ({"C"}, {"A", "B"})


def test_layout_rule_counts_columns() -> None:
    cells = library()
    assert cells["INV_X1"].network.columns() == 1
    assert cells["INV_X4"].network.columns() == 4
    assert cells["NAND3_X1"].network.columns() == 3
    assert cells["NAND2_X1"].area_um2 == pytest.approx(3 * 0.19 * 1.4)


def test_walks_cover_every_transition() -> None:
    for name in ("AOI22_X1", "FA_XL", "DFF_X1", "CLKGATE_X1"):
        graph = TransitionGraph(library()[name])
        walked = {(tuple(v for _, v in s.before), s.pin) for s in graph.cover(lambda _: True)}
        assert walked == set(graph.next)


def test_gate_simulator_multiplies(liberty: LibertyFile) -> None:
    circuit = multiplier()
    for a, b in itertools.product(range(16), repeat=2):
        simulator = GateSimulator(liberty, circuit.instances, circuit.outputs, 2.0)
        bits = {f"a{i}": a >> i & 1 for i in range(4)} | {f"b{i}": b >> i & 1 for i in range(4)}
        simulator.run([Toggle(0.0, pin, v) for pin, v in bits.items() if v], 20.0)
        got = sum(simulator.values.get(net, 0) << i for i, net in enumerate(circuit.outputs))
        assert got == a * b


def test_energy_of_an_inverter_is_its_table_plus_its_load(liberty: LibertyFile) -> None:
    instance = Instance("u", "INV_X1", {"A": "a", "ZN": "y"})
    simulator = GateSimulator(liberty, [instance], ["y"], 7.0)
    got = simulator.run([Toggle(0.0, "a", 1), Toggle(500.0, "a", 0)], 12.0)
    tables = liberty.cells["INV_X1"].power[0].tables
    internal = tables["rise_power"].at(0.012, 7.0) + tables["fall_power"].at(0.012, 7.0)
    assert got == pytest.approx(internal + 7.0 * 1.1**2)


def test_verilog_models_are_those_of_the_cells() -> None:
    assert write_verilog(list(library().values())) == VERILOG.read_text()
    assert verilog_expression("!(A1 & A2)") == "~(A1 & A2)"


def test_sdf_for_icarus_has_one_plain_path_a_pin_pair() -> None:
    text = """(DELAYFILE (TIMESCALE 1ns)
 (CELL (CELLTYPE "top") (INSTANCE) (DELAY (ABSOLUTE (INTERCONNECT a u/A (0.0::0.0)))))
 (CELL
  (CELLTYPE "XOR2_XL")
  (INSTANCE u)
  (DELAY (ABSOLUTE
    (COND (B == 1'b1)
     (IOPATH A Z (0.030::0.040) (0.036::0.036)))
    (COND (B == 1'b0)
     (IOPATH A Z (0.017::0.020) (-0.002::-0.001)))
  )))
)
"""
    merged = merge_conditions(text)
    assert "(IOPATH A Z (0.0300) (0.0180))" in merged
    assert merged.count("IOPATH") == 1
    assert "COND" not in merged
    assert merged.count("(") == merged.count(")")


def test_a_cell_equals_itself_and_differs_from_another(liberty: LibertyFile) -> None:
    cell = liberty.cells["INV_X1"]
    assert max(differences(cell, cell).values()) == 0
    assert differences(cell, liberty.cells["INV_X2"])["capacitance"] == pytest.approx(0.5, abs=0.1)


def test_numbers_are_written_short_and_repeatable() -> None:
    assert [number(x) for x in (0.123456, 12.0, -3.00004e-5, 1e-9)] == [
        "0.1235",
        "12",
        "-3e-05",
        "0",
    ]
    assert sdf_condition("A & !B") == "(A == 1'b1) && (B == 1'b0)"


def test_wrong_models_are_refused(tmp_path: Path) -> None:
    (tmp_path / "freepdk45_nom.spi").write_text(".model NMOS_VTG nmos\n")
    with pytest.raises(ModelFileError, match=r"SHA-256 .* delete it and try again"):
        model_file(tmp_path)
    with pytest.raises(ModelFileError, match="no transistor PMOS_VTG"):
        model_cards(".model NMOS_VTG nmos\n", ("PMOS_VTG",))


def test_missing_simulator_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth.library import spice

    monkeypatch.setenv("PATH", "/nowhere")
    spice.simulator_version.cache_clear()
    with pytest.raises(ToolMissingError, match="ngspice is missing: apt-get install ngspice"):
        spice.simulator_version()


def test_catalogue_has_the_cells_that_synthesis_needs() -> None:
    bases = {base for base, _, _ in CATALOGUE}
    assert {"INV", "BUF", "FA", "HA", "DFF", "DFFQ", "DLH", "CLKGATE", "TIEHI", "TIELO"} <= bases
    assert all(isinstance(c, Cell) for c in library().values())
