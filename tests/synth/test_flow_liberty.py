"""The Liberty reader: the grammar's corners, logic functions, and broken libraries."""

from itertools import product
from pathlib import Path

import pytest

from synth.errors import LibertyError
from synth.flow import DEFAULT_LIBERTY
from synth.liberty import read_liberty, truth_table
from synth.mapping import LibertyCells, clock_gate_pins

FLIPFLOP = """
  cell (KEEP) { area : 4.5; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (Q) { direction : output; function : "IQ"; } }"""
ADDER = """
  cell ("ADD") { area : 2 ; /* swapped
    names */
    pin(X) { direction : input; } pin(Y) { direction : input; } pin(Z) { direction : input; }
    pin(HI) { direction : output; function : "X*Y + X*Z + Y*Z"; };
    pin(LO) { direction : output; function : "(X^Y)^Z";
      timing () { related_pin : "X"; cell_rise (t) { values ("1, 2", \\
        "3, 4"); } } }
  }"""


def written(folder: Path, text: str) -> Path:
    """A Liberty file with these cells."""
    path = folder / "cells.lib"
    path.write_text(f"library (tiny) {{ time_unit : 1ns ; {text} }}")
    return path


def test_reads_groups_lists_and_attributes(tmp_path: Path) -> None:
    library = read_liberty(written(tmp_path, FLIPFLOP + ADDER))
    assert library.name == "tiny"
    assert library.root.attributes == {"time_unit": "1ns"}
    assert library.area_um2("KEEP") == 4.5
    assert library.flipflops == ("KEEP",)
    low = next(pin for pin in library.cells["ADD"].of_kind("pin") if pin.name == "LO")
    table = low.groups[0].groups[0]
    assert table.kind == "cell_rise"
    assert table.lists["values"] == ("1, 2", "3, 4")


def test_finds_full_adders_by_their_functions(tmp_path: Path) -> None:
    assert read_liberty(written(tmp_path, FLIPFLOP + ADDER)).full_adders == ("ADD",)
    wrong = ADDER.replace("X*Y + X*Z", "X*Y + X*Y")
    assert read_liberty(written(tmp_path, FLIPFLOP + wrong)).full_adders == ()


def test_says_what_a_library_lacks(tmp_path: Path) -> None:
    notes = LibertyCells(read_liberty(written(tmp_path, FLIPFLOP))).notes
    assert "no full adder" in notes[0]
    assert "no clock gate" in notes[1]
    assert LibertyCells(read_liberty(DEFAULT_LIBERTY)).notes == ()


def test_own_library_has_what_synthesis_needs() -> None:
    library = read_liberty(DEFAULT_LIBERTY)
    assert {"FA_XL", "FA_X1", "FA_X2"} <= set(library.full_adders)
    assert clock_gate_pins(library, library.clock_gates[0]) == ("E", "CK", "GCK")


@pytest.mark.parametrize(
    ("function", "python"),
    [
        ("!(A & B) | C", lambda a, b, c: not (a and b) or c),
        ("A B' + C", lambda a, b, c: (a and not b) or c),
        ("A ^ B * C", lambda a, b, c: (a != b) and c),  # in Liberty ^ binds before *
        ("(A + B)' ^ !C", lambda a, b, c: (not (a or b)) != (not c)),
        ("1", lambda a, b, c: True),
    ],
)
def test_functions_mean_what_the_standard_says(function, python) -> None:
    expected = tuple(int(python(*values)) for values in product((0, 1), repeat=3))
    assert truth_table(function, ["A", "B", "C"]) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("library (x) { cell (A) {", "not a Liberty file, or a damaged one"),
        ("module x; endmodule", "not a Liberty file, or a damaged one"),
        ("", "not a Liberty file, or a damaged one"),
        ("library (x) { }", "holds no library with cells"),
        ("library (x) { cell (A) { area : 1; } }", "has no flip-flop"),
        ("library (x) { cell (A) { area : 1; } } }", "text after the library's end"),
    ],
)
def test_broken_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.lib"
    path.write_text(text)
    with pytest.raises(LibertyError, match=rf"broken\.lib: {message}.*; \w+"):
        read_liberty(path)
