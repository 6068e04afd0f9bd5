"""The Liberty reader: corner cases of the grammar, kinds of cells, broken and hostile files."""

import gzip
import os
import re
from itertools import product
from pathlib import Path

import pytest
from liberty.parser import parse_liberty

from synth.errors import LibertyError
from synth.flow import DEFAULT_LIBERTY
from synth.gatesim import Circuit
from synth.liberty import grammar
from synth.liberty import library as library_module
from synth.liberty.cell_reader import CellReader
from synth.liberty.cells import CellKind
from synth.liberty.grammar import MAX_DEPTH, parse
from synth.liberty.library import read_library
from synth.liberty.logic import parse_function
from synth.mapping import LibertyCells, clock_gate_pins
from synth.netlist import Netlist, Placed, Port

KITS = Path(__file__).parent / "kits"

INVERTER = """
  cell (INV) { area : 1; pin (A) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "!A"; } }"""
GATES = (
    INVERTER
    + """
  cell (ND) { area : 2; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "!(A*B)"; } }
  cell (NR) { area : 2; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "!(A+B)"; } }"""
)
FLIPFLOP = """
  cell (KEEP) { area : 4.5; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; } pin (D) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } }"""
ADDER = """
  cell ("ADD") { area : 2 ; /* swapped
    names */
    pin(X) { direction : input; } pin(Y) { direction : input; } pin(Z) { direction : input; }
    pin(HI) { direction : output; function : "X*Y + X*Z + Y*Z"; };
    pin(LO) { direction : output; function : "(X^Y)^Z"; }
  }"""


def written(folder: Path, text: str, *, head: str = "time_unit : 1ns ;") -> Path:
    """A Liberty file with these cells."""
    path = folder / "cells.lib"
    path.write_text(f"library (tiny) {{ {head} {text} }}")
    return path


def test_reads_groups_lists_and_attributes() -> None:
    text = """library (tiny) { time_unit : 1ns ;
      cell (A) { area : 2; timing () { related_pin : "X"; cell_rise (t) { values ("1, 2", \\
        "3, 4"); } } } }"""
    (root,) = parse(text, "x")
    (cell,) = root.groups
    assert (root.kind, root.name, root.attributes) == ("library", "tiny", {"time_unit": "1ns"})
    assert (cell.name, cell.attributes) == ("A", {"area": "2"})
    table = cell.groups[0].groups[0]
    assert (table.kind, table.name) == ("cell_rise", "t")
    assert table.lists["values"] == ("1, 2", "3, 4")


BENT = {
    "an expression": ("vil : 0.3 * VDD;", {"vil": "0.3 * VDD"}),
    "an expression on two lines": ("vil : 0.3 *\n VDD;", {"vil": "0.3 * VDD"}),
    "slashes in a string": ('comment : "see https://a.b/c";', {"comment": "see https://a.b/c"}),
    "a brace in a string": ('comment : "{";', {"comment": "{"}),
    "quotes in a string": (r'comment : "a \"b\" c";', {"comment": 'a "b" c'}),
    "a string on two lines": ('comment : "a\\\nb";', {"comment": "ab"}),
    "colons without quotes": (
        "date : $Date: Mon 1 12:30:00 $ ;",
        {"date": "$Date : Mon 1 12 : 30 : 00 $"},
    ),
    "a condition without quotes": ("when : (A * !B) ;", {"when": "( A * !B )"}),
    "no semicolon": ("a : 1\n b : 2\n", {"a": "1", "b": "2"}),
    "no semicolon before a brace": ("a : 1", {"a": "1"}),
    "spare semicolons": (";; a : 1;; g () { }; ;", {"a": "1"}),
    "an empty value": ("a : ; b : 2;", {"a": "", "b": "2"}),
    "comments": ('/* { " */ a : 1; // } "\n b : 2; /**/', {"a": "1", "b": "2"}),
    "a comment after a value": ("a : 1 /* one */\n b : 2;", {"a": "1", "b": "2"}),
    "a continued line": ("a : \\\n 1;", {"a": "1"}),
    "a continued line with a blank": ("a : \\ \r\n 1;", {"a": "1"}),
    "definitions": ("define(x, cell, string); define_group(y, pin); a : 1;", {"a": "1"}),
    "names with colons": ("ccb(a:b, c:d); a : 1;", {"a": "1"}),
}


@pytest.mark.parametrize("case", BENT)
def test_reads_what_real_files_hold(case: str) -> None:
    text, attributes = BENT[case]
    (root,) = parse(f"\ufefflibrary (x) {{ {text} }} ;\n", "x")
    assert root.attributes == attributes


@pytest.mark.parametrize("kit", ["open45.lib", "open130.lib"])
def test_an_outside_parser_finds_the_same(kit: str) -> None:
    """The other kits contain constructs that it does not read."""
    text = (KITS / kit).read_text()
    (ours,) = parse(text, "x")
    theirs = parse_liberty(text)
    for cell, other in zip(ours.of_kind("cell"), theirs.get_groups("cell"), strict=True):
        assert cell.name == str(other.args[0]).strip('"')
        assert float(cell.attributes["area"]) == other["area"]
        pins, others = list(cell.of_kind("pin")), other.get_groups("pin")
        for pin, its in zip(pins, others, strict=True):
            assert pin.attributes.get("function") == (
                str(its["function"]).strip('"') if its["function"] else None
            )
            tables = [table.lists["values"] for arc in pin.groups for table in arc.groups]
            assert len(tables) == sum(len(arc.groups) for arc in its.groups)


def test_finds_full_adders_by_their_functions(tmp_path: Path) -> None:
    assert read_library(written(tmp_path, FLIPFLOP + ADDER)).full_adders == ("ADD",)
    wrong = ADDER.replace("X*Y + X*Z", "X*Y + X*Y")
    assert read_library(written(tmp_path, FLIPFLOP + wrong)).full_adders == ()


def test_a_flipflop_with_three_inputs_and_two_outputs_is_no_full_adder(tmp_path: Path) -> None:
    text = """cell(F){area:5;ff(IQ,IQN){next_state:"D";clocked_on:"C";clear:"!R";}
      pin(D){direction:input;}pin(R){direction:input;}pin(C){direction:input;}
      pin(Q){direction:output;function:"IQ";}pin(QN){direction:output;function:"IQN";}}"""
    library = read_library(written(tmp_path, text))
    assert library.flipflops == {"F"}
    assert library.full_adders == ()
    assert library.cells["F"].kind is CellKind.FLIPFLOP


def test_what_must_not_be_placed_is_not_offered(tmp_path: Path) -> None:
    marked = FLIPFLOP.replace("area : 4.5;", "area : 4.5; dont_use : TRUE;")
    library = read_library(written(tmp_path, marked + ADDER.replace("area : 2 ;", "area : 0;")))
    assert library.for_mapping == ()
    assert library.full_adders == ()
    with pytest.raises(LibertyError, match="no flip-flop, no inverter, no gate such as a NAND"):
        LibertyCells(library)


def test_a_clock_gate_with_a_pin_of_unknown_use_is_none() -> None:
    def gates(change: tuple[str, str]) -> tuple[str, ...]:
        (root,) = parse((KITS / "open45.lib").read_text().replace(*change), "x")
        reader = CellReader(root)
        cells = (reader.read(group) for group in root.of_kind("cell"))
        return tuple(cell.name for cell in cells if cell and cell.kind is CellKind.CLOCK_GATE)

    assert gates(("", "")) == ("CLKGATETST_X1",)
    assert gates((" clock_gate_test_pin : true;", "")) == ()
    assert gates((" clock_gate_enable_pin : true;", "")) == ()
    assert gates(("latch_posedge_precontrol", "latch_negedge")) == ()


def test_says_what_a_library_lacks(tmp_path: Path) -> None:
    notes = LibertyCells(read_library(written(tmp_path, GATES + FLIPFLOP))).notes
    assert notes == (
        "no delays in the library: gates are not sized",
        "no full adder in the library: adders are made of gates",
        "no clock gate in the library: enables are multiplexers",
    )
    assert LibertyCells(read_library(DEFAULT_LIBERTY)).notes == ()
    text = re.sub(r"(?s)  cell \(BUF_X1\).*?\n  }\n", "", (KITS / "open45.lib").read_text())
    (tmp_path / "none.lib").write_text(text)
    notes = LibertyCells(read_library(tmp_path / "none.lib")).notes
    assert notes == ("no buffer in the library: gates are not sized",)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (GATES, "no flip-flop that may be placed"),
        (FLIPFLOP + GATES.replace(INVERTER, ""), "no inverter, no third kind of gate"),
        (FLIPFLOP + INVERTER, "no gate such as a NAND of two inputs, no third kind of gate"),
    ],
)
def test_a_library_that_no_netlist_can_be_made_of_is_one_clear_line(
    tmp_path: Path, text: str, lacks: str
) -> None:
    library = read_library(written(tmp_path, text))
    with pytest.raises(LibertyError, match=rf"cells\.lib: {lacks}.*; give a library that has it"):
        LibertyCells(library)


def test_own_library_has_what_synthesis_needs() -> None:
    library = read_library(DEFAULT_LIBERTY)
    assert library.full_adders == ("FA_XL", "FA_X1", "FA_X2")  # FA_XS is marked: dont_use
    pins = clock_gate_pins(library, library.clock_gates[0])
    assert (pins.enable, pins.clock, pins.output, pins.test) == ("E", "CK", "GCK", None)
    assert library.damaged == {}


@pytest.mark.parametrize(
    ("function", "python"),
    [
        ("!(A & B) | C", lambda a, b, c: not (a and b) or c),
        ("A B' + C", lambda a, b, c: (a and not b) or c),
        ("A ^ B * C", lambda a, b, c: (a != b) and c),  # in Liberty ^ binds before *
        ("(A + B)' ^ !C", lambda a, b, c: (not (a or b)) != (not c)),
        ("!A (B + C)", lambda a, b, c: not a and (b or c)),
        ("A''", lambda a, b, c: a),
        ("1", lambda a, b, c: True),
    ],
)
def test_functions_mean_what_the_standard_says(function, python) -> None:
    expected = tuple(int(bool(python(*values))) for values in product((0, 1), repeat=3))
    parsed = parse_function(function)
    assert parsed.truth_table("ABC") == expected
    assert parse_function(str(parsed)).truth_table("ABC") == expected


@pytest.mark.parametrize("text", ["", 'q"', "A+", "(A", "A)", "!", "&A", "'A", "A#B", "()", "A !"])
def test_what_is_no_function_is_one_clear_line(text: str) -> None:
    with pytest.raises(LibertyError, match="cannot read the function"):
        parse_function(text)


def test_functions_nested_deeply_are_read() -> None:
    depth = 4000
    assert parse_function("(" * depth + "A" + ")" * depth).truth_table("A") == (0, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("library (x) { cell (A) {", ":1: the file ends within cell"),
        ("library (x) {\n cell (A) { area : 1", ":2: a value without ';'"),
        ("module x; endmodule", ":1: expected ':' or"),
        ("", ": holds no library with cells"),
        ("cell (x) { }", ": holds no library with cells"),
        ("library (x) { }", ": holds no library with cells"),
        ("library (x) { cell (A) { area : 1; } } }", ":1: '}' without '{'"),
        ("library (x) { cell (A) { } } area : 1;", ":1: text outside of any group"),
        ('library (x) {\n\n comment : "a', ":3: a string without end"),
        ("library (x) { /* a", ":1: a comment without end"),
        ("library (x) { values (1, 2; }", r":1: '\(' without '\)'"),
        ("g () {" * 5000 + "}" * 5000, f":1: groups nested deeper than {MAX_DEPTH}"),
        ("library (x) { cell (A) { } cell (A) { } }", ": A is there twice"),
        ("library (x) { time_unit : 1foo; cell (A) { } }", ": time_unit must be a number of s"),
        ("library (x) { nom_voltage : -1; cell (A) { } }", ": the supply voltage must be"),
    ],
)
def test_broken_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.lib"
    path.write_text(text)
    with pytest.raises(LibertyError, match=rf"^[^\n]*broken\.lib{message}[^\n]*; \w+[^\n]*$"):
        read_library(path)


def test_what_is_no_file_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LibertyError, match=r"none\.lib: no such file; name a Liberty file"):
        read_library(tmp_path / "none.lib")
    with pytest.raises(LibertyError, match="is a folder; name a Liberty file"):
        read_library(tmp_path)
    packed = tmp_path / "cells.lib.gz"
    packed.write_bytes(gzip.compress(b"library (x) { cell (A) { } }"))
    with pytest.raises(LibertyError, match=r"cells\.lib\.gz: is compressed; unpack it"):
        read_library(packed)
    os.mkfifo(tmp_path / "pipe.lib")
    with pytest.raises(LibertyError, match="not a regular file; name a Liberty file"):
        read_library(tmp_path / "pipe.lib")
    monkeypatch.setattr(library_module, "LIMIT_BYTES", 100)
    with pytest.raises(LibertyError, match="more than 100; name a Liberty file"):
        read_library(written(tmp_path, GATES))


def test_small_files_cannot_take_all_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, message in (
        ("a(" + "1," * 100_001 + ");", "a list of more than 100,000 words"),
        ("a : " + "1 " * 100_001 + ";", "a value of more than 100,000 words"),
    ):
        with pytest.raises(LibertyError, match=message):
            read_library(written(tmp_path, text))
    monkeypatch.setattr(grammar, "MAX_STATEMENTS", 50)
    with pytest.raises(LibertyError, match="more than 50 statements"):
        read_library(written(tmp_path, "g(){}" * 51))


def test_files_of_two_corners_are_refused(tmp_path: Path) -> None:
    fast = (KITS / "open180_registers.lib").read_text().replace("1.8", "1.95")
    (tmp_path / "fast.lib").write_text(fast)
    with pytest.raises(LibertyError, match="made for different supplies; give files of one corner"):
        read_library(KITS / "open180_gates.lib", tmp_path / "fast.lib")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (('function : "!A"', 'function : "q"'), "cell INV: a function reads q"),
        (('function : "!A"', 'function : ""'), "cell INV: cannot read the function ''"),
        (("area : 1;", "area : many;"), "cell INV: area must be a number, not 'many'"),
        (("capacitance : 1;", "capacitance : nan;"), "cell INV: a capacitance must be a number"),
        (("(INV)", '("INV; shell touch owned")'), "its name or one in it is none for a netlist"),
        (("pin (A)", "pin (A[0])"), "its name or one in it is none for a netlist"),
    ],
)
def test_a_damaged_cell_is_left_out_and_said(
    tmp_path: Path, damage: tuple[str, str], reason: str
) -> None:
    broken = INVERTER.replace(*damage)
    assert broken != INVERTER
    library = read_library(written(tmp_path, broken + GATES.replace("INV", "OTHER") + FLIPFLOP))
    assert "INV" not in library.cells
    (found,) = library.damaged.values()
    assert reason in found
    notes = LibertyCells(library).notes
    assert f"1 damaged cells are left out, the first: {found}" in notes


def test_no_power_is_taken_by_what_no_file_says(tmp_path: Path) -> None:
    """Simulation needs the supply; mapping does not."""
    library = read_library(written(tmp_path, GATES + FLIPFLOP))
    ports = {"a": Port("input", (2,)), "y": Port("output", (3,))}
    netlist = Netlist("n", (Placed("g", "INV", {"A": 2, "Y": 3}),), ports, {})
    with pytest.raises(LibertyError, match=r"cells\.lib: cell INV: no cell_fall"):
        Circuit(netlist, read_library(written(tmp_path, GATES, head="nom_voltage : 1.1;")))
    with pytest.raises(LibertyError, match=r"cells\.lib: says no supply; add nom_voltage"):
        Circuit(netlist, library)
