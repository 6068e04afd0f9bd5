"""Sizes clock gates after mapping, to keep the clock skew of an engine's flip-flops small.

The mapper makes one gate of the smallest drive for each enable, whatever its load. A clock that
arrives late would violate the hold times of registers that feed each other.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from synth.liberty.cells import ClockGatePins
from synth.liberty.library import Library
from synth.mapping import MIN_GATED_FLIPFLOPS, clock_gate_pins

MAX_FLIPFLOPS = 48
"""A gate with more flip-flops than this is split."""

LOAD_SHARE = 0.205
"""Share of a gate's maximum load that the clock pins of its flip-flops may take; the rest is for
the wires to them and for steep edges. In our own library, 16 flip-flops for a drive of 1."""

Module = dict[str, Any]
"""A module of Yosys' JSON."""

Sink = tuple[str, str]
"""A placed cell and its pin."""


def size_clock_gates(module: Module, library: Library) -> Module:
    """A module with its clock gates split and sized for their loads, also of other gates."""
    module = copy.deepcopy(module)
    cells = module["cells"]
    gates = {name for name, cell in cells.items() if cell["type"] in library.clock_gates}
    if not gates:
        return module
    family = _Family(library)
    output = family.output
    bits = [bit for cell in cells.values() for pins in cell["connections"].values() for bit in pins]
    free = 1 + max(bit for bit in bits if isinstance(bit, int))
    while gates:
        sinks = family.sinks(cells)
        driven = {name: sinks.get(cells[name]["connections"][output][0], []) for name in gates}
        # A gate that has been split loads the gate above it more.
        ready = [name for name in gates if gates.isdisjoint(cell for cell, _ in driven[name])]
        for name in sorted(ready):
            gate = cells[name]
            for number, part in enumerate(family.parts(driven[name], cells)):
                twin = copy.deepcopy(gate)
                twin["type"] = family.gate_for(family.load_ff(part, cells))
                if number:
                    twin["connections"][output] = [free]
                    for cell, pin in part:
                        cells[cell]["connections"][pin] = [free]
                    free += 1
                cells[name if not number else f"{name}_{number}"] = twin
        gates -= set(ready)
    return module


@dataclass(frozen=True)
class _Family:
    """The clock gates of a library that are interchangeable."""

    library: Library

    @cached_property
    def output(self) -> str:
        """Pin of the gated clock."""
        return self._pins.output

    @cached_property
    def _pins(self) -> ClockGatePins:
        return clock_gate_pins(self.library, self.library.clock_gates[0])

    @cached_property
    def _limits(self) -> dict[str, float]:
        """Largest load in fF for each gate, the weakest first."""
        found = {
            name: LOAD_SHARE * self.library.cells[name].max_load_ff.get(self.output, math.inf)
            for name in self.library.clock_gates
            if clock_gate_pins(self.library, name) == self._pins
        }
        return dict(sorted(found.items(), key=lambda entry: entry[1]))

    def gate_for(self, load_ff: float) -> str:
        """The weakest gate that is strong enough, or the strongest."""
        strong = (name for name, limit in self._limits.items() if limit >= load_ff)
        return next(strong, list(self._limits)[-1])

    def load_ff(self, sinks: Sequence[Sink], cells: Module) -> float:
        """Capacitance of pins, in fF."""
        kinds = self.library.cells
        return sum(kinds[cells[cell]["type"]].capacitance_ff[pin] for cell, pin in sinks)

    def sinks(self, cells: Module) -> dict[int | str, list[Sink]]:
        """For each net of one bit that it can drive: the cells and pins, in order of names."""
        found: dict[int | str, list[Sink]] = {}
        for name in sorted(cells):
            is_gate = cells[name]["type"] in self.library.clock_gates
            for pin, bits in cells[name]["connections"].items():
                if len(bits) == 1 and not (is_gate and pin == self.output):
                    found.setdefault(bits[0], []).append((name, pin))
        return found

    def parts(self, sinks: Sequence[Sink], cells: Module) -> Iterator[list[Sink]]:
        """Sinks of each gate into which one gate is split; at least one gate."""
        strongest = max(self._limits.values())
        part: list[Sink] = []
        for sink in sinks:
            is_full = len(part) >= MAX_FLIPFLOPS or (
                len(part) >= MIN_GATED_FLIPFLOPS and self.load_ff([*part, sink], cells) > strongest
            )
            if is_full:
                yield part
                part = []
            part.append(sink)
        yield part
