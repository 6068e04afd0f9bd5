"""The gate-level simulator against the reference simulator, which is compared with SPICE."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qcnpe.spec.errors import ToolError, ToolMissingError
from synth import annotate, gatesim
from synth.errors import SynthesisError
from synth.flow import DEFAULT_LIBERTY, own_cells
from synth.gatesim import TOGGLE, Circuit, simulator
from synth.library.gate_energy import GateSimulator, Instance, LibertyFile, Toggle
from synth.netlist import Netlist, Placed, Port
from synth.wires import NO_WIRES
from tests.hostile import WEIRD, hostile_variables

WIDTH = 6
PERIOD_PS = 2000.0
LOAD_FF = 2.0


def ripple_adder() -> Netlist:
    """Operands on nets 2 and up, carry in last, sums and carry out after them."""
    a = list(range(2, 2 + WIDTH))
    b = list(range(2 + WIDTH, 2 + 2 * WIDTH))
    carry_in = 2 + 2 * WIDTH
    carries = [carry_in, *range(carry_in + 1, carry_in + 1 + WIDTH)]
    sums = list(range(carries[-1] + 1, carries[-1] + 1 + WIDTH))
    placed = tuple(
        Placed(
            f"add_{i}",
            ("FA_XL", "FA_X1")[i % 2],
            {"A": a[i], "B": b[i], "CI": carries[i], "CO": carries[i + 1], "S": sums[i]},
        )
        for i in range(WIDTH)
    )
    ports = {
        "operands": Port("input", (*a, *b, carry_in)),
        "total": Port("output", (*sums, carries[-1])),
    }
    return Netlist("adder", placed, ports, {})


def random_toggles(nets: tuple[int, ...], cycles: int) -> list[tuple[float, int, int]]:
    """New random operands in each cycle, the bits one after another."""
    rng = np.random.default_rng(3)
    values, toggles = np.zeros(len(nets), int), []
    for cycle in range(cycles):
        fresh = rng.integers(0, 2, len(nets))
        toggles += [
            (cycle * PERIOD_PS + 100 + 7 * bit, net, int(fresh[bit]))
            for bit, net in enumerate(nets)
            if fresh[bit] != values[bit]
        ]
        values = fresh
    return toggles


def test_energy_agrees_with_the_simulator_that_spice_was_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The reference has no wires.
    wires = replace(NO_WIRES, outside_ff=LOAD_FF)
    monkeypatch.setattr(annotate, "PORT_SLEW_NS", 0.02)
    netlist, cycles = ripple_adder(), 200
    toggles = random_toggles(netlist.ports["operands"].nets, cycles)
    circuit = Circuit(netlist, own_cells().library, wires)
    last = cycles * PERIOD_PS - 1
    outputs = netlist.ports["total"].nets
    ours = circuit.run(np.array(toggles, TOGGLE), [0.0, last], outputs)

    instances = [
        Instance(cell.name, cell.cell, {pin: str(net) for pin, net in cell.pins.items()})
        for cell in netlist.placed
    ]
    names = [str(net) for net in outputs]
    other = GateSimulator(LibertyFile.read(DEFAULT_LIBERTY), instances, names, LOAD_FF)
    theirs = other.run([Toggle(time, str(net), value) for time, net, value in toggles], 20.0)
    assert ours.energy_fj.sum() == pytest.approx(theirs, rel=0.05)
    assert [other.values[name] for name in names] == ours.samples[-1].tolist()


def test_adder_adds() -> None:
    netlist = ripple_adder()
    circuit = Circuit(netlist, own_cells().library)
    inputs, outputs = netlist.ports["operands"].nets, netlist.ports["total"].nets
    toggles = random_toggles(inputs, 50)
    times = [(cycle + 1) * PERIOD_PS - 1 for cycle in range(50)]
    samples = circuit.run(np.array(toggles, TOGGLE), times, (*inputs, *outputs)).samples
    places = 1 << np.arange(WIDTH + 1)
    for row in samples.astype(int):
        a, b, carry = row[:WIDTH], row[WIDTH : 2 * WIDTH], row[2 * WIDTH]
        assert (a + b) @ places[:WIDTH] + carry == row[2 * WIDTH + 1 :] @ places


def test_what_would_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    library = own_cells().library
    cases = WIDTH * (1 << 3) * 3  # full adders of three inputs
    monkeypatch.setattr(gatesim, "MAX_STEPS", cases)
    Circuit(ripple_adder(), library)
    monkeypatch.setattr(gatesim, "MAX_STEPS", cases - 1)
    with pytest.raises(SynthesisError, match=r"adder: has 144 cases .*; simulate its units"):
        Circuit(ripple_adder(), library)


def test_nothing_happens_without_toggles() -> None:
    circuit = Circuit(ripple_adder(), own_cells().library)
    activity = circuit.run(np.zeros(0, TOGGLE), [0.0, 1000.0], [2])
    assert activity.energy_fj.sum() == 0
    assert activity.toggles.sum() == 0


def test_program_can_be_run_as_soon_as_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes look for the name, and run the program as soon as it exists."""
    runnable: list[bool] = []
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        runnable.append(os.access(self, os.X_OK))
        return rename(self, target)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "replace", replace)
    assert simulator.__wrapped__().is_file()
    assert runnable == [True]


def test_program_is_built_in_folders_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / WEIRD
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    hostile_variables(monkeypatch, folder)
    assert simulator.__wrapped__().is_file()
    assert [path.name for path in folder.iterdir()] == ["cache"]


def test_program_that_others_can_write_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = os.umask(0)
    try:
        program = simulator.__wrapped__()
    finally:
        os.umask(before)
    program.chmod(0o777)
    with pytest.raises(ToolError, match=r"gatesim-.*: others can write this program"):
        simulator.__wrapped__()


def test_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match=r"g\+\+ is missing: apt-get install g\+\+"):
        simulator.__wrapped__()
