"""Emit a component once, place it many times.

Amaranth converts every instance of a component again; an array of a few hundred equal units would
become as many modules. While Verilog is generated, a `ModuleLibrary` is the platform: a `Leaf` asks
it for a place, the library converts the leaf's body once for each module name, and the design gets
an `Instance`. In Amaranth's own simulator there is no library, and the body is simulated itself.
"""

from typing import Any

import amaranth.back.rtlil as rtlil
from amaranth.hdl import ClockSignal, Elaboratable, Instance, Module, ResetSignal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import Signature

from qcnpe.rtl.component import Component


class Leaf(Component):
    """A component that is emitted once for each `module_name`.

    A subclass gives `module_name`, which must encode every parameter that shapes the body, and
    `build`. `clocked` says whether the body has registers.
    """

    clocked = True

    @property
    def module_name(self) -> str:
        """Name of the Verilog module; equal names mean equal bodies."""
        raise NotImplementedError(f"{type(self).__name__} does not name its module")

    def build(self) -> Module:
        """The body of the component."""
        raise NotImplementedError(f"{type(self).__name__} has no body")

    def elaborate(self, platform: Any) -> Module | Instance:
        """The body, or an instance of it while a library collects modules."""
        if isinstance(platform, ModuleLibrary):
            return platform.place(self)
        return self.build()


class _Body(Elaboratable):
    """Stands for a leaf while its body is converted."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf

    def elaborate(self, platform: Any) -> Module:
        return self.leaf.build()


class ModuleLibrary:
    """Collects the RTLIL of each distinct leaf of a design.

    Parameters
    ----------
    prefix : what the names of all leaves' modules begin with, before the leaf's own name

    Attributes
    ----------
    modules : dict of module name to RTLIL text, in the order of first use
    """

    def __init__(self, *, prefix: str = "") -> None:
        self.prefix = prefix
        self.modules: dict[str, str] = {}

    def place(self, leaf: Leaf) -> Instance:
        """Convert the leaf's body if it is new and return an instance of it."""
        name = self.prefix + leaf.module_name
        if name not in self.modules:
            self.modules[name] = ""  # reserves the place while nested leaves are collected
            self.modules[name] = self.convert(_Body(leaf), name, leaf)
        return self.instance(name, leaf)

    def instance(self, name: str, leaf: Leaf) -> Instance:
        """A module with a leaf's ports, connected to it."""
        connections = {
            f"{'i' if direction == 'in' else 'o'}_{port}": value
            for port, direction, value in flat_ports(leaf.signature, leaf)
        }
        if leaf.clocked:
            connections |= {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        return Instance(name, **connections)

    def convert(self, body: Elaboratable, name: str, interface: Component) -> str:
        """RTLIL of one body, with the ports of `interface`."""
        ports = {
            port: (value, PortDirection.Input if direction == "in" else PortDirection.Output)
            for port, direction, value in flat_ports(interface.signature, interface)
        }
        return str(rtlil.convert(body, name=name, ports=ports, platform=self, emit_src=False))


def flat_ports(signature: Signature, interface: Any) -> list[tuple[str, str, Value]]:
    """(flat name, 'in' or 'out', signal) of every port, in the signature's order."""
    ports = []
    for path, member, value in signature.flatten(interface):
        is_input = member.flow is wiring.In  # type: ignore[attr-defined]
        direction = "in" if is_input else "out"
        ports.append(("__".join(map(str, path)), direction, Value.cast(value)))
    return ports
