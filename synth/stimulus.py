"""Turns values of ports, cycle by cycle, into the toggles of a simulation's stimulus."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from synth.gatesim import TOGGLE
from synth.netlist import Netlist

PERIOD_PS = 2000.0
"""Clock period: 500 MHz."""

INPUT_DELAY_PS = 150.0
"""Delay of inputs after the clock, as if a neighbour's flip-flops drove them."""

RESET_CYCLES = 2


def stimulus(
    netlist: Netlist, cycles: Sequence[Mapping[str, int]], period_ps: float = PERIOD_PS
) -> NDArray[np.void]:
    """Two cycles of reset, then the values of each cycle; a port without one keeps its value."""
    held = [{"rst": 1}] + [{"rst": 0}] * (RESET_CYCLES - 1)
    toggles: list[tuple[float, int, int]] = []
    before: dict[str, int] = {}
    for cycle, values in enumerate([*held, *cycles]):
        start = cycle * period_ps
        if "clk" in netlist.ports:
            (clock,) = netlist.ports["clk"].nets
            toggles += [(start, clock, 1)] if cycle else []
            toggles.append((start + period_ps / 2, clock, 0))
        for name, value in values.items():
            if name not in netlist.ports:
                continue
            changed = value ^ before.get(name, 0)
            before[name] = value
            toggles += [
                (start + INPUT_DELAY_PS, net, value >> bit & 1)
                for bit, net in enumerate(netlist.ports[name].nets)
                if changed >> bit & 1
            ]
    return np.array(sorted(toggles, key=lambda toggle: toggle[0]), TOGGLE)


def packed(layout: data.StructLayout, values: Mapping[str, Any]) -> int:
    """A packed word of a layout; members without a value are zero."""
    word = 0
    for name, field in layout:
        value = values.get(str(name), 0)
        number = packed(field.shape, value) if isinstance(value, Mapping) else int(value)
        word |= (number & ((1 << field.width) - 1)) << field.offset
    return word
