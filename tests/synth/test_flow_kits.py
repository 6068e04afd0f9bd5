"""Libraries like those of open kits: mapped netlists compute the right values in the simulator."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.config import EngineConfig
from synth.flow import choose_cells, map_design, synthesize
from synth.gatesim import Circuit
from synth.mapping import LibertyCells, clock_gate_pins
from synth.netlist import CONSTANT_NETS, Netlist, read_netlist
from synth.stimulus import RESET_CYCLES, stimulus
from synth.units import leaf_rtlil

KITS = Path(__file__).parent / "kits"

FILES = {
    "130 nm": ("open130.lib",),
    "130 nm, no quotes": ("open130_unquoted.lib",),
    "45 nm": ("open45.lib",),
    "180 nm, two files": ("open180_gates.lib", "open180_registers.lib"),
}

BITS = 5
PERIOD_PS = 40_000.0
"""Slow enough for every kit."""


class Accumulate(Leaf):
    """Accumulates products of two signed operands while it is enabled."""

    module_name = "accumulate"

    def __init__(self) -> None:
        super().__init__(
            {
                "a": In(signed(BITS)),
                "b": In(signed(BITS)),
                "enable": In(1),
                "total": Out(signed(2 * BITS)),
            }
        )

    def build(self) -> Module:
        """One multiplier, one adder, one register."""
        m = Module()
        total = Signal(signed(2 * BITS))
        with m.If(self.enable):
            m.d.sync += total.eq(total + self.a * self.b)
        m.d.comb += self.total.eq(total)
        return m


def cells_of(kit: str, *, quick: bool = False) -> LibertyCells:
    """The cells of a kit."""
    cells = choose_cells([KITS / name for name in FILES[kit]], quick=quick)
    assert isinstance(cells, LibertyCells)
    return cells


def mapped(cells: LibertyCells, folder: Path) -> Netlist:
    """The accumulator, mapped to a kit's cells."""
    map_design(leaf_rtlil(Accumulate()), "accumulate", cells, folder / "accumulate.v")
    return read_netlist(folder / "accumulate.json", "accumulate")


@pytest.fixture(scope="module", params=FILES)
def kit(request: pytest.FixtureRequest) -> str:
    """Each kit in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def netlist(kit: str, tmp_path_factory: pytest.TempPathFactory) -> Netlist:
    """The accumulator, mapped to the kit's cells."""
    return mapped(cells_of(kit), tmp_path_factory.mktemp("kit"))


def totals(circuit: Circuit, cycles: list[dict[str, int]]) -> tuple[list[int], float]:
    """The register's value after each cycle, and the energy of all cycles in fJ."""
    netlist = circuit.netlist
    drive = stimulus(netlist, cycles, PERIOD_PS)
    times = [(RESET_CYCLES + place + 2) * PERIOD_PS - 1 for place in range(len(cycles))]
    # The clock's last edge takes the operands of the last cycle.
    edge = np.array(
        [((RESET_CYCLES + len(cycles)) * PERIOD_PS, *netlist.ports["clk"].nets, 1)], drive.dtype
    )
    seen = circuit.run(np.concatenate([drive, edge]), times, netlist.ports["total"].nets)
    values = seen.samples.astype(int) @ (1 << np.arange(2 * BITS))
    return [wrapped(value) for value in values.tolist()], float(seen.energy_fj.sum())


def wrapped(value: int) -> int:
    """A sum as an unsigned value of the register."""
    half = 1 << 2 * BITS - 1
    return (value + half) % (2 * half) - half


def test_what_is_mapped_to_a_kit_computes_at_gate_level(kit: str, netlist: Netlist) -> None:
    circuit = Circuit(netlist, cells_of(kit).library)
    rng = np.random.default_rng(5)
    operands = rng.integers(-(1 << BITS - 1), 1 << BITS - 1, (60, 2)).tolist()
    enables = rng.integers(0, 2, 60).tolist()
    mask = (1 << BITS) - 1
    cycles, wanted = [], [0]
    for (a, b), enable in zip(operands, enables, strict=True):
        cycles.append({"a": a & mask, "b": b & mask, "enable": enable})
        wanted.append(wrapped(wanted[-1] + enable * a * b))
    found, energy_fj = totals(circuit, cycles)
    assert found == wanted[1:]
    assert 0 < energy_fj < 1e9


def test_no_cell_is_placed_that_must_not_be(kit: str, netlist: Netlist) -> None:
    allowed = {cell.name for cell in cells_of(kit).library.for_mapping}
    assert {cell.cell for cell in netlist.placed} <= allowed
    assert not {name for name in allowed if re.search("sdf|SDF|probe|lpflow|TBUF|ebuf", name)}


def test_clock_gates_are_placed_whole(kit: str, netlist: Netlist) -> None:
    """A clock gate with an open test pin would be undefined."""
    library = cells_of(kit).library
    gates = [cell for cell in netlist.placed if cell.cell in library.clock_gates]
    assert gates
    for gate in gates:
        pins = clock_gate_pins(library, gate.cell)
        assert {pins.enable, pins.clock, pins.output} <= gate.pins.keys()
        assert (pins.test is not None) is (kit != "130 nm")
        if pins.test:
            assert CONSTANT_NETS[gate.pins[pins.test]] == 0


def test_only_the_cheaper_of_two_gates_is_taken_where_it_is_strong_enough(tmp_path: Path) -> None:
    """By loads: ten flip-flops of 1.7 fF are more than a share of 0.205 of 50 fF."""
    placed = {cell.cell for cell in mapped(cells_of("130 nm"), tmp_path).placed}
    assert "open130__dlclkp_4" in placed
    text = (
        (KITS / "open130.lib")
        .read_text()
        .replace("max_capacitance : 0.05", "max_capacitance : 0.1")
    )
    (tmp_path / "strong.lib").write_text(text)
    cells = choose_cells([tmp_path / "strong.lib"])
    assert isinstance(cells, LibertyCells)
    assert "open130__dlclkp_1" in {cell.cell for cell in mapped(cells, tmp_path).placed}


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("130 nm", ["multipliers are made of full adders open130__fa_1"]),
        ("130 nm, no quotes", ["no full adder in the library: adders are made of gates"]),
        ("45 nm", ["multipliers are made of full adders FA_X1"]),
        ("180 nm, two files", ["multipliers are made of full adders FAX"]),
    ],
)
def test_says_what_a_kit_lacks(name: str, notes: list[str]) -> None:
    assert list(cells_of(name).notes) == notes


def test_a_library_without_any_delay_is_mapped(tmp_path: Path) -> None:
    text = re.sub(r'values \("[\d.]+"\)', 'values ("0")', (KITS / "open45.lib").read_text())
    (tmp_path / "ideal.lib").write_text(text)
    cells = choose_cells([tmp_path / "ideal.lib"])
    assert isinstance(cells, LibertyCells)
    assert len(mapped(cells, tmp_path).placed) > 100


def test_a_kit_in_two_files_makes_a_whole_engine(tmp_path: Path) -> None:
    config = EngineConfig(
        rows=1, cols=1, ncu="plain16", precisions=(16,), table_segments=8, fifo_depth=2
    )
    files = [KITS / name for name in FILES["180 nm, two files"]]
    report = synthesize(config, tmp_path, files, quick=True)
    assert report.library == "open180_gates + open180_registers"
    ncu = next(unit for unit in report.units if "ncu_plain16" in unit.name)
    assert ncu.cells["FAX"] > 200
    assert ncu.cells["DFFQ"] == ncu.flipflops
    netlist = json.loads((tmp_path / f"{ncu.name}.json").read_text())
    assert "ICGT" in str(netlist)


def test_a_changed_library_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    """Yosys' own cache checks only the path and the time."""
    path = tmp_path / "kit.lib"
    text = (KITS / "open45.lib").read_text()
    for name in ("OAI211_X1", "OAI211_X9"):
        path.write_text(text.replace("OAI211_X1", name))
        cells = choose_cells([path], quick=True)
        assert isinstance(cells, LibertyCells)
        placed = {cell.cell for cell in mapped(cells, tmp_path).placed}
        assert placed <= cells.library.cells.keys()
