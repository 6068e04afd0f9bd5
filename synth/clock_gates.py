"""Sizes clock gates after mapping, so that all of an engine's flip-flops see much the same clock.

The mapper makes one gate of the smallest drive for each enable, whatever it has to drive. Late
clocks would break the hold times of registers that feed each other.
"""

import copy
from typing import Any

from synth.liberty import Library
from synth.mapping import clock_gate_pins

MAX_FLIPFLOPS = 48
"""A gate with more flip-flops than this is split."""

FLIPFLOPS_A_DRIVE = 16
"""Flip-flops that a gate of drive 1 takes; one of drive n takes n times as many."""

Module = dict[str, Any]
"""A module of Yosys' JSON."""


def size_clock_gates(module: Module, library: Library) -> Module:
    """A module with its clock gates split and sized for what they drive."""
    module = copy.deepcopy(module)
    cells = module["cells"]
    gates = {name for name, cell in cells.items() if cell["type"] in library.clock_gates}
    if not gates:
        return module
    _, _, output = clock_gate_pins(library, library.clock_gates[0])
    sinks = _sinks(module, gates)
    bits = [bit for cell in cells.values() for pins in cell["connections"].values() for bit in pins]
    free = 1 + max(bit for bit in bits if isinstance(bit, int))
    for name in sorted(gates):
        gate = cells[name]
        driven = sinks.get(gate["connections"][output][0], [])
        parts = [driven[i : i + MAX_FLIPFLOPS] for i in range(0, len(driven), MAX_FLIPFLOPS)]
        for number, part in enumerate(parts or [[]]):
            twin = copy.deepcopy(gate)
            twin["type"] = _drive_for(len(part), library)
            if number:
                twin["connections"][output] = [free]
                for cell, pin in part:
                    cells[cell]["connections"][pin] = [free]
                free += 1
            cells[name if not number else f"{name}_{number}"] = twin
    return module


def _sinks(module: Module, gates: set[str]) -> dict[int | str, list[tuple[str, str]]]:
    """For each net that only cells' inputs read as a clock: (cell, pin), in order of names."""
    found: dict[int | str, list[tuple[str, str]]] = {}
    for name in sorted(set(module["cells"]) - gates):
        for pin, bits in module["cells"][name]["connections"].items():
            if len(bits) == 1:
                found.setdefault(bits[0], []).append((name, pin))
    return found


def _drive_for(flipflops: int, library: Library) -> str:
    """The smallest gate that is strong enough; the gates are in order of their size."""
    drives = {name: int(name.rpartition("_X")[2] or 1) for name in library.clock_gates}
    strong = [name for name, drive in drives.items() if drive * FLIPFLOPS_A_DRIVE >= flipflops]
    return min(strong, key=drives.__getitem__) if strong else max(drives, key=drives.__getitem__)
