"""Gates at a clock's root: they never hold a register that is to change, and stop idle units."""

from collections import deque
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from qcnpe.rtl.fifo import Fifo
from synth.flow import map_design, own_cells
from synth.gatesim import Circuit
from synth.liberty.cells import CellKind
from synth.netlist import read_netlist
from synth.root_gates import add_root_gates
from synth.stimulus import PERIOD_PS, RESET_CYCLES, stimulus
from synth.units import leaf_rtlil

LOGIC = {
    "$_AND_": lambda a, b: a and b,
    "$_NAND_": lambda a, b: not (a and b),
    "$_OR_": lambda a, b: a or b,
    "$_NOR_": lambda a, b: not (a or b),
    "$_XOR_": lambda a, b: a != b,
    "$_ANDNOT_": lambda a, b: a and not b,
    "$_ORNOT_": lambda a, b: a or not b,
}
"""Gates of Yosys, from its manual."""

CLOCK, FIRST = 2, 3
INPUTS = range(FIRST, FIRST + 5)


def cell(kind: str, **pins: int | str) -> dict[str, Any]:
    """A cell of Yosys' JSON."""
    connections = {pin: [net] for pin, net in pins.items()}
    return {"type": kind, "parameters": {}, "connections": connections}


def random_module(rng: np.random.Generator) -> dict[str, Any]:
    """Gates between inputs and registers, some of which have an enable that others share."""
    registers = range(INPUTS.stop, INPUTS.stop + 12)
    nets, cells = [*INPUTS, *registers], {}
    for number in range(14):
        net = registers.stop + number
        a, b = rng.choice(nets, 2, replace=False).tolist()
        kind = str(rng.choice([*LOGIC, "$_AND_", "$_AND_", "$_NOT_"]))
        pins = {"A": a} if kind == "$_NOT_" else {"A": a, "B": b}
        cells[f"gate_{number}"] = cell(kind, **pins, Y=net)
        nets.append(net)
    enables = rng.choice(nets, 3).tolist()
    for number, net in enumerate(registers):
        data = int(rng.choice(nets))
        if rng.random() < 0.8:
            enable = int(rng.choice(enables))
            cells[f"register_{number}"] = cell("$_DFFE_PP_", C=CLOCK, D=data, E=enable, Q=net)
        else:
            cells[f"register_{number}"] = cell("$_DFF_P_", C=CLOCK, D=data, Q=net)
    return {"ports": {"clk": {"bits": [CLOCK]}}, "cells": cells, "netnames": {}}


def values_of(module: dict[str, Any], state: dict[int, bool]) -> dict[int, bool]:
    """All nets of logic, given those of inputs and registers."""
    known = dict(state)
    for body in module["cells"].values():  # in order: every gate follows those that drive it
        pins = {pin: bits[0] for pin, bits in body["connections"].items()}
        if body["type"] == "$_NOT_":
            known[pins["Y"]] = not known[pins["A"]]
        elif body["type"] in LOGIC:
            known[pins["Y"]] = LOGIC[body["type"]](known[pins["A"]], known[pins["B"]])
    return known


def is_clocked(module: dict[str, Any], net: int, known: dict[int, bool]) -> bool:
    """Whether all clock gates above a net are open."""
    gates = {
        body["connections"]["GCK"][0]: body["connections"]
        for body in module["cells"].values()
        if body["type"].startswith("CLKGATE")
    }
    while net != CLOCK:
        if not known[gates[net]["E"][0]]:
            return False
        net = gates[net]["CK"][0]
    return True


def test_no_register_is_held_that_is_to_change() -> None:
    """In every state of random modules."""
    rng, library = np.random.default_rng(3), own_cells().library
    gated = held = 0
    for _ in range(20):
        module = add_root_gates(random_module(rng), library)
        registers = [b["connections"] for b in module["cells"].values() if "DFF" in b["type"]]
        nets = [*INPUTS, *(pins["Q"][0] for pins in registers)]
        for bits in rng.choice(list(product((False, True), repeat=8)), 40):
            state = dict(zip(nets, [*bits, *(rng.random(len(nets) - 8) < 0.5)], strict=True))
            known = values_of(module, state)
            for pins in registers:
                changes = known[pins["D"][0]] != known[pins["Q"][0]]
                wanted = known[pins["E"][0]] if "E" in pins else changes
                clocked = is_clocked(module, pins["C"][0], known)
                assert clocked or not wanted
                gated += pins["C"][0] != CLOCK
                held += not clocked
    assert gated > 5000
    assert held > 300


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Circuit:
    """A mapped queue of eight words."""
    unit, cells = Fifo(width=5, depth=8), replace(own_cells(), root_gates=True)
    folder = tmp_path_factory.mktemp("queue")
    map_design(leaf_rtlil(unit), unit.module_name, cells, folder / "queue.v")
    return Circuit(read_netlist(folder / "queue.json", unit.module_name), cells.library)


def test_a_gated_queue_keeps_order_and_words(queue: Circuit) -> None:
    """Against a queue of Python, over bursts, pauses and resets."""
    rng = np.random.default_rng(4)
    held: deque[int] = deque()
    cycles, wanted = [], []
    for _ in range(300):
        word, valid, ready, reset = rng.integers((32, 2, 2, 40)).tolist()
        cycles.append({"i__payload": word, "i__valid": valid, "o__ready": ready, "rst": not reset})
        wanted.append((len(held), held[0] if held else 0))
        pushes, pops = valid and len(held) < 8, ready and held
        if pops:
            held.popleft()
        if pushes:
            held.append(word)
        if not reset:
            held.clear()
    ports = queue.netlist.ports
    times = [(RESET_CYCLES + place + 1) * PERIOD_PS - 1 for place in range(len(cycles))]
    watched = (*ports["level"].nets, *ports["o__payload"].nets)
    seen = queue.run(stimulus(queue.netlist, cycles), times, watched).samples
    for (level, word), sample in zip(wanted, seen.tolist(), strict=True):
        assert sum(bit << n for n, bit in enumerate(sample[:4])) == level
        if level:
            assert sum(bit << n for n, bit in enumerate(sample[4:])) == word


def test_the_clock_of_an_idle_unit_reaches_one_gate_only(queue: Circuit) -> None:
    assert queue.is_balanced
    clock = queue.netlist.ports["clk"].nets[0]
    gates = [
        placed
        for placed in queue.netlist.placed
        if queue.models[placed.cell].kind is CellKind.CLOCK_GATE
    ]
    assert [placed.pins["CK"] for placed in gates].count(clock) == 1
    begin = (RESET_CYCLES + 2) * PERIOD_PS
    drive = stimulus(queue.netlist, [{"i__payload": 21}] * 10)
    toggles = queue.run(drive, [begin], (), begin).toggles
    assert np.flatnonzero(toggles).tolist() == [clock]
