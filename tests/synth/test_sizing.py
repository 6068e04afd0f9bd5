"""Sizing makes the longest path shorter and leaves the functions of all cells as they are."""

import math

import pytest

from synth.flow import own_cells
from synth.gatesim import Circuit
from synth.liberty.cells import CellKind
from synth.netlist import Netlist, Placed, Port
from synth.sizing import strengthen
from synth.timing import SETUP_NS, path_ns
from synth.wires import NO_WIRES

CLOCK, SENT, LINE = 2, 3, 4
READERS = 24


def line_of_many() -> Netlist:
    """A register, a weak inverter, and the registers that it drives."""
    ends = [
        Placed(f"end_{n}", "DFFQ_XL", {"CK": CLOCK, "D": LINE, "Q": LINE + 1 + n})
        for n in range(READERS)
    ]
    start = Placed("start", "DFFQ_XL", {"CK": CLOCK, "D": LINE + 1, "Q": SENT})
    inverter = Placed("inverter", "INV_XL", {"A": SENT, "ZN": LINE})
    ports = {"clk": Port("input", (CLOCK,))}
    return Netlist("line", (start, inverter, *ends), ports, {})


@pytest.fixture(scope="module")
def path_before_ns() -> float:
    """Path of the netlist that is not sized."""
    return path_ns(Circuit(line_of_many(), own_cells().library, NO_WIRES))


def test_weak_cells_on_the_longest_path_become_stronger(path_before_ns: float) -> None:
    library, netlist = own_cells().library, line_of_many()
    sized = strengthen(netlist, library, NO_WIRES, target_ns=0.0)
    changed = {
        old.name: (old, new)
        for old, new in zip(netlist.placed, sized.placed, strict=True)
        if old != new
    }
    assert "inverter" in changed
    assert changed.keys() <= {"start", "inverter"}
    for old, new in changed.values():
        assert (old.name, old.pins) == (new.name, new.pins)
        kinds = library.cells[old.cell], library.cells[new.cell]
        assert kinds[0].table == kinds[1].table
        assert kinds[0].kind is kinds[1].kind in (CellKind.LOGIC, CellKind.FLIPFLOP)
        assert kinds[0].area_um2 < kinds[1].area_um2
    after_ns = path_ns(Circuit(sized, library, NO_WIRES))
    assert after_ns - SETUP_NS < 0.7 * (path_before_ns - SETUP_NS)


def test_a_path_that_is_short_enough_is_left_alone(path_before_ns: float) -> None:
    netlist, library = line_of_many(), own_cells().library
    assert strengthen(netlist, library, NO_WIRES, math.ceil(path_before_ns)) == netlist
