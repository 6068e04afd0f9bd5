"""Capacitance of wires: length of each net, times a capacitance for each micrometre.

Lengths of units that were placed and routed are in `synth/tech/wires.json`; a unit is recognised by
its netlist, so that lengths of another netlist are never used. All other units take the mean length
of a net with as many sinks, and `Lengths` says so.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from qcnpe.spec.documents import NotNegative, Positive, read_document
from synth.errors import SynthesisError
from synth.netlist import CONSTANT_NETS, Netlist

WIRES_FILE = Path(__file__).parent / "tech" / "wires.json"

FF_PER_UM = 0.20
"""Capacitance of a routed wire of minimum width with neighbours on both sides, at 45 nm.

With half of the neighbours it is 0.16, without any 0.13.
"""

OUTSIDE_UM = 40.0
"""Wire beyond an output port where no routed neighbour is known: about the edge of an NCU."""

OUTSIDE_FF = 1.0
"""Pin at the end of that wire: a flip-flop's."""

ABUTTING = {"east": "west", "south": "north"}
"""Output ports of NCUs, which abut on the input port of the next NCU."""


@dataclass(frozen=True)
class FanoutLengths:
    """Mean length of a net by its sinks, as a wire-load table of synthesis tools.

    Attributes
    ----------
    sinks : ascending numbers of sinks, at least one
    um : mean length at each of them; interpolated between them, in proportion beyond them
    """

    sinks: tuple[Positive, ...]
    um: tuple[NotNegative, ...]

    def __post_init__(self) -> None:
        if not self.sinks or len(self.sinks) != len(self.um):
            raise SynthesisError("a wire table has as many lengths as sinks, and at least one")
        if any(low >= high for low, high in pairwise(self.sinks)):
            raise SynthesisError(f"sinks of a wire table must ascend, not {self.sinks}")

    def length_um(self, sinks: int) -> float:
        """Mean length of a net with so many sinks."""
        place = bisect_left(self.sinks, sinks)
        if place == len(self.sinks):
            return self.um[-1] * sinks / self.sinks[-1]
        if place == 0:
            return self.um[0] * sinks / self.sinks[0]
        low, high = self.sinks[place - 1], self.sinks[place]
        share = (sinks - low) / (high - low)
        return self.um[place - 1] + share * (self.um[place] - self.um[place - 1])


@dataclass(frozen=True, kw_only=True)
class RoutedUnit:
    """A unit that was placed and routed.

    Attributes
    ----------
    netlist_sha256 : `Netlist.sha256` of its netlist
    width_um, height_um : its outline
    um : length of each net's wires, by the number of the net
    """

    netlist_sha256: str
    width_um: Positive
    height_um: Positive
    um: tuple[NotNegative, ...]


@dataclass(frozen=True)
class Lengths:
    """Lengths of the nets of one netlist.

    Attributes
    ----------
    um : by net
    outside_um : wire beyond each output port
    routed : name of the routed unit that they are from; None if they are means by fan-out
    """

    um: Mapping[int, float]
    outside_um: float
    routed: str | None


@dataclass(frozen=True)
class Wires:
    """Capacitance of all wires.

    Attributes
    ----------
    by_fanout : lengths in units that were not routed
    routed : routed units by name
    ff_per_um : capacitance of a wire
    outside_um, outside_ff : wire beyond an output port of a unit that was not routed, and the pin
        at its end
    """

    by_fanout: FanoutLengths
    routed: Mapping[str, RoutedUnit] = field(default_factory=dict)
    ff_per_um: float = FF_PER_UM
    outside_um: float = OUTSIDE_UM
    outside_ff: float = OUTSIDE_FF

    def __post_init__(self) -> None:
        if self.ff_per_um < 0:
            raise SynthesisError(f"ff_per_um must be at least 0, not {self.ff_per_um}")

    def lengths(self, netlist: Netlist) -> Lengths:
        """Lengths of a netlist's nets: routed, if this very netlist was, else by fan-out.

        Routed units abut on copies of themselves (`ABUTTING`). Beyond their other outputs lies a
        wire as long as the mean of their input ports'.
        """
        for name, unit in self.routed.items():
            if unit.netlist_sha256 == netlist.sha256 and len(unit.um) >= netlist.net_count:
                inputs = [net for net in _port_nets(netlist, "input") if net not in CONSTANT_NETS]
                outside = sum(unit.um[net] for net in inputs) / len(inputs) if inputs else 0.0
                return Lengths(dict(enumerate(unit.um)), outside, name)
        um = {net: self.by_fanout.length_um(n) for net, n in sinks(netlist).items()}
        return Lengths(um, self.outside_um, None)

    def capacitance_ff(self, length_um: float) -> float:
        """Capacitance of a wire."""
        return self.ff_per_um * length_um

    def capacitances_ff(self, lengths: Lengths) -> dict[int, float]:
        """Capacitance of each net's wires."""
        return {net: self.capacitance_ff(um) for net, um in lengths.um.items()}

    def at(self, ff_per_um: float) -> "Wires":
        """The same lengths with another capacitance for each micrometre."""
        return replace(self, ff_per_um=ff_per_um)


NO_WIRES = Wires(FanoutLengths((1,), (0.0,)), ff_per_um=0.0, outside_um=0.0, outside_ff=0.0)
"""Pins only."""


def sinks(netlist: Netlist) -> Mapping[int, int]:
    """Ends of each net besides the one that drives it; nets that lead nowhere are left out."""
    ends = Counter(net for placed in netlist.placed for net in placed.pins.values())
    ends.update(_port_nets(netlist, "input"))
    ends.update(_port_nets(netlist, "output"))
    return {n: count - 1 for n, count in ends.items() if count > 1 and n not in CONSTANT_NETS}


def _port_nets(netlist: Netlist, direction: str) -> list[int]:
    ports = (port for port in netlist.ports.values() if port.direction == direction)
    return [net for port in ports for net in port.nets]


@dataclass(frozen=True, kw_only=True)
class WiresFile:
    """Content of `synth/tech/wires.json`.

    Attributes
    ----------
    by_fanout : fitted to the routed units
    units : the routed units
    provenance : command, tools and their versions
    """

    by_fanout: FanoutLengths
    units: dict[str, RoutedUnit]
    provenance: dict[str, str]


def read_wires(path: Path) -> Wires:
    """Lengths from a file, with the headline's capacitance.

    Raises
    ------
    FormatError
        If the file is missing or damaged.
    """
    found = read_document(path, WiresFile)
    return Wires(found.by_fanout, found.units)


@cache
def committed_wires() -> Wires:
    """Lengths of the committed layout."""
    return read_wires(WIRES_FILE)
