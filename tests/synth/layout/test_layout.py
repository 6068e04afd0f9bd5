"""Placement and routing of a small unit: legal, connected, without shorts; and what checks that."""

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from synth.errors import SynthesisError
from synth.flow import own_cells
from synth.layout.abstract import SITE_UM2, AbstractCell, abstract_cells, lef_text
from synth.layout.design import Design
from synth.layout.exchange import def_text
from synth.layout.placement import Placement, check_legal, place
from synth.layout.routing import Route, Routing, Wire
from synth.layout.units import LaidOut, by_fanout, fanout_errors, lay_out, wires_file
from synth.liberty.library import Library
from synth.netlist import Netlist, Placed, Port

MOVES = 20_000
STAGES = 24


@cache
def library() -> Library:
    """Our own cells."""
    return own_cells().library


def chain() -> Netlist:
    """A shift register through gates that all read one input."""
    placed, net = [], 10
    for stage in range(STAGES):
        placed += [
            Placed(f"g{stage}", "NAND2_X1", {"A1": net, "A2": 3, "ZN": net + 1}),
            Placed(f"r{stage}", "DFFQ_X1", {"D": net + 1, "CK": 2, "Q": net + 2}),
        ]
        net += 2
    ports = {
        "clk": Port("input", (2,)),
        "enable": Port("input", (3,)),
        "west": Port("input", (10,)),
        "east": Port("output", (net,)),
    }
    return Netlist("chain", tuple(placed), ports, {})


@pytest.fixture(scope="module")
def design() -> Design:
    """The chain, not yet placed."""
    return Design.of("chain", chain(), library())


@pytest.fixture(scope="module")
def placement(design: Design) -> Placement:
    """The chain, placed."""
    return place(design, 1, MOVES)


def box_um(placement: Placement) -> float:
    """Sum over the nets of half the perimeter around their cells, in sites and rows."""
    total = 0.0
    for pins in placement.design.pins.values():
        rows, sites = zip(*(placement.places[index] for index, _ in pins), strict=True)
        total += 0.19 * (max(sites) - min(sites)) + 1.4 * (max(rows) - min(rows))
    return total


def test_abstracts_have_the_areas_of_the_library() -> None:
    cells = library()
    names = [name for name in cells.cells if not name.startswith("TIE")]
    for name, cell in abstract_cells(cells, names).items():
        assert cell.sites * SITE_UM2 == pytest.approx(cells.area_um2(name), rel=1e-3), name
        assert len(set(cell.pins.values())) == len(cell.pins), name
        assert all(0 <= site < cell.sites for site in cell.pins.values()), name
    with pytest.raises(SynthesisError, match="3 pins do not fit into 2 sites"):
        AbstractCell("small", 2, {"A": 0, "B": 1}, {"Z": 1})


def test_lef_states_sizes_and_pins_in_micrometres() -> None:
    text = lef_text([AbstractCell("INV", 2, {"A": 0}, {"ZN": 1})])
    assert "SIZE 0.380 BY 1.4 ;" in text
    assert "RECT 0.155 0.28 0.225 1.12" in text  # the bar around 0.19 um, 70 nm wide


def test_placement_is_short_and_the_same_for_a_seed(design: Design, placement: Placement) -> None:
    check_legal(placement)
    assert place(design, 1, MOVES).places == placement.places
    assert box_um(placement) < 0.5 * box_um(place(design, 1, 10))
    west, east = (next(p for p in placement.design.pads if p.side == side) for side in "WE")
    assert west.place == east.place  # bits of abutting units are level


def test_illegal_placements_are_seen(placement: Placement) -> None:
    (row, site), *rest = placement.places
    with pytest.raises(SynthesisError, match="overlaps another cell"):
        check_legal(replace(placement, places=((row, site), (row, site), *rest[1:])))
    with pytest.raises(SynthesisError, match="outside of the rows"):
        check_legal(replace(placement, places=((placement.design.rows, site), *rest)))


def test_cells_that_do_not_fit_are_one_clear_line(design: Design) -> None:
    with pytest.raises(Exception, match="the cells do not fit into the rows"):
        place(replace(design, rows=1), 1, MOVES)


def two_pins() -> Placement:
    """Two inverters in one row; the pins of net 3 are sites 1 and 2 of it."""
    placed = (Placed("a", "INV_X1", {"A": 2, "ZN": 3}), Placed("b", "INV_X1", {"A": 3, "ZN": 4}))
    design = Design.of("pair", Netlist("pair", placed, {}, {}), library())
    return Placement(replace(design, rows=1, sites=4), ((0, 0), (0, 2)))


X, Y = 8 + 1, 10 + 5
"""Site and track of net 3's first pin, after the ring; its second is one site further."""

WIRED = Route((Wire(2, (X, Y), (X + 1, Y)),), ((1, X, Y), (1, X + 1, Y)))


def test_opens_and_shorts_are_found_by_geometry() -> None:
    placement = two_pins()
    assert Routing(placement, {3: WIRED}).failed_nets == ()
    for lacking in (
        Route(WIRED.wires, WIRED.vias[:1]),  # a via is missing
        Route((), WIRED.vias),  # the wire is missing
        Route((Wire(4, (X, Y), (X + 1, Y)),), WIRED.vias),  # it is on another layer
        Route((Wire(2, (X, Y), (X, Y)),), WIRED.vias),  # it ends too early
    ):
        assert Routing(placement, {3: lacking}).failed_nets == (3,)
    assert Routing(placement, {}).failed_nets == (3,)
    three = replace(
        placement.design.netlist,
        placed=(*placement.design.netlist.placed, Placed("c", "INV_X1", {"A": 4, "ZN": 5})),
    )
    shorted = Placement(
        replace(placement.design, netlist=three, sites=6), (*placement.places, (0, 4))
    )
    other = Route(
        (Wire(2, (X + 2, Y), (X + 3, Y)), Wire(2, (X + 1, Y), (X + 1, Y))),
        ((1, X + 2, Y), (1, X + 3, Y)),
    )
    assert Routing(shorted, {3: WIRED, 4: other}).failed_nets == (3, 4)


def test_covered_wires_count_once() -> None:
    twice = Route((Wire(2, (0, 0), (4, 0)), Wire(2, (2, 0), (6, 0)), Wire(3, (6, 0), (6, 5))), ())
    assert twice.length_um == pytest.approx(6 * 0.19 + 5 * 0.14)


def test_lengths_by_fanout_are_means() -> None:
    routing = Routing(two_pins(), {3: WIRED})
    table = by_fanout([routing])
    assert (table.sinks, table.um) == ((1.0,), (0.19,))
    unit = LaidOut(routing, 1)
    assert fanout_errors(table, {"pair": unit}) == {"pair": pytest.approx(0)}
    assert unit.unit.um == (0.0, 0.0, 0.0, 0.19, 0.0)
    assert unit.um_per_net == pytest.approx(0.19)


def test_def_has_every_cell_pin_and_wire() -> None:
    text = def_text(Routing(two_pins(), {3: WIRED}))
    assert "- u1 INV_X1 + PLACED ( 1900 1400 ) N ;" in text  # ring of 8 sites, then 2; one row
    assert "( u0 ZN )" in text
    assert "+ ROUTED metal2 ( 1710 2100 ) ( 1900 2100 )" in text
    assert "NEW metal1 ( 1710 2100 ) via1_2" in text


@pytest.mark.skipif(find_spec("coriolis") is None, reason="coriolis is in the extra layout")
def test_small_unit_is_routed(placement: Placement, tmp_path: Path) -> None:
    unit = lay_out("chain", chain(), own_cells(), MOVES)
    assert unit.routing.failed_nets == ()
    assert 2 < unit.um_per_net < 20
    content = wires_file({"chain": unit})
    assert content.units["chain"].netlist_sha256 == chain().sha256
    broken = {net: Route(r.wires[1:], r.vias) for net, r in unit.routing.routes.items()}
    assert len(replace(unit.routing, routes=broken).failed_nets) > STAGES
