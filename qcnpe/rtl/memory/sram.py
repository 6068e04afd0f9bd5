"""Memories of the shape that foundries' compilers make."""

from typing import Any

import amaranth.back.rtlil as rtlil
from amaranth.hdl import ClockSignal, Elaboratable, Instance, Module, Signal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf, ModuleLibrary, flat_ports


class Sram(Leaf):
    """A memory with one read port and one write port, both synchronous.

    A word that is read in the cycle in which it is written is undefined: users do not do that. The
    contents after a reset are undefined, too. Verilog tools infer a block memory from the body;
    with a `MacroLibrary` the module has none, so that a foundry's macro can be put in its place.

    Latency: read data are valid in the cycle after the address, and stay while `read_enable` is
    low. Throughput: a read and a write a cycle.

    Parameters
    ----------
    width : bits of a word
    depth : words, at least 2
    granularity : bits that one write enable writes, a divisor of the width

    Ports
    -----
    read_address : in, `range(depth)`, word to read
    read_enable : in, 1 bit, read it
    read_data : out, `width` bits, the word that was read
    write_address : in, `range(depth)`, word to write
    write_enable : in, `width // granularity` bits, parts of the word that are written
    write_data : in, `width` bits, the word to write
    """

    def __init__(self, *, width: int, depth: int, granularity: int) -> None:
        if width % granularity:
            raise ValueError(f"granularity must divide the width of {width}, not {granularity}")
        self.width, self.depth, self.granularity = width, depth, granularity
        super().__init__(
            {
                "read_address": In(range(depth)),
                "read_enable": In(1),
                "read_data": Out(width),
                "write_address": In(range(depth)),
                "write_enable": In(width // granularity),
                "write_data": In(width),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_sram_{self.depth}x{self.width}_by_{self.granularity}"

    def build(self) -> Module:
        """A memory that tools infer."""
        m = Module()
        words: Any = Memory(shape=self.width, depth=self.depth, init=[])
        m.submodules.words = words
        read = words.read_port()
        write = words.write_port(granularity=self.granularity)
        m.d.comb += [
            read.addr.eq(self.read_address),
            read.en.eq(self.read_enable),
            self.read_data.eq(read.data),
            write.addr.eq(self.write_address),
            write.en.eq(self.write_enable),
            write.data.eq(self.write_data),
        ]
        return m


class _Nothing(Elaboratable):
    """The body of a black box."""

    def elaborate(self, platform: object) -> Module:
        return Module()


class MacroLibrary(ModuleLibrary):
    """A module library that leaves every `Sram` to the integrator.

    The Verilog has instances of the memories' modules and not the modules themselves. Their ports
    are those of `Sram`, and `clk`.
    """

    def place(self, leaf: Leaf) -> Instance:
        """Place a leaf; a memory becomes an instance of a module without a body."""
        if not isinstance(leaf, Sram):
            return super().place(leaf)
        name = self.prefix + leaf.module_name
        ports = flat_ports(leaf.signature, leaf)
        if name not in self.modules:
            self.modules[name] = _black_box(name, [("clk", "in", Signal(name="clk")), *ports])
        connections = {f"{way[0]}_{port}": value for port, way, value in ports}
        return Instance(name, i_clk=ClockSignal(), **connections)


def _black_box(name: str, ports: list[tuple[str, str, Value]]) -> str:
    """RTLIL of a module with ports and without a body."""
    directions = {"in": PortDirection.Input, "out": PortDirection.Output}
    interface = {port: (value, directions[way]) for port, way, value in ports}
    text = str(rtlil.convert(_Nothing(), name=name, ports=interface, emit_src=False))
    return text.replace(f"module \\{name}", f"attribute \\blackbox 1\nmodule \\{name}", 1)
