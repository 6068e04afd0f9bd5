"""The engine with structural neural compute units (NCUs), as silicon has it.

The units that convert between structural NCUs and the rest of the engine (`synth.row`) are where
operands enter a row or a column, and where sums leave a row.
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Instance, Module, Signal, Value

from qcnpe.rtl.engine import Engine
from qcnpe.rtl.layouts import WEIGHT_LANE, mode_bits
from qcnpe.rtl.leaf import Leaf, ModuleLibrary
from qcnpe.rtl.ncu_array import NcuArray, NcuRow
from qcnpe.spec.config import EngineConfig
from synth.partial_products import ProductPlan
from synth.row import ComplementLane, ResolveRow, ReverseFields
from synth.structural import TREE, MacTree, StructuralNcu, structural_west_layout
from synth.units import Units, collect_units

_NEIGHBOURS = 4
"""Columns whose sums one gate combines."""

_NEAR = 3
"""Groups of columns whose wires to the row's end are short enough for a small gate."""


class StructuralRow(NcuRow):
    """A row of structural NCUs with the ports of `NcuRow`.

    The precision of a tile, which resolving needs, is kept from the tile's last beat until the last
    beat of the next one.
    """

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return super().module_name.replace("qcnpe_ncu_row", "axnn_structural_row")

    def build(self) -> Module:
        """Complement, NCUs, ORs, resolver."""
        m = Module()
        m.submodules.complement = complement = ComplementLane()
        west: Any = Signal(structural_west_layout(self.config, self._tree))
        stored, done = self._build_ncus(m, west)
        m.submodules.resolve = resolve = ResolveRow(self.config, self._tree.breaks)
        m.d.comb += [
            complement.lane.eq(self.west.lane.operands),
            west.lane.eq(self.west.lane),
            west.lane.operands.eq(complement.complement),
            resolve.stored.eq(stored),
            self.result.eq(resolve.result),
            self.done.eq(done),
        ]
        for name in west.control.shape().members:
            if name != "masks":
                m.d.comb += west.control[name].eq(self.west.control[name])
        if mode_bits(self.config):
            m.d.comb += resolve.mode.eq(self._build_finished_mode(m))
            masks = [self._tree.mask_bits(mode) for mode in range(len(self.config.precisions))]
            m.d.comb += west.control.masks.eq(Array(masks)[self.west.control.mode])
        return m

    def _any(self, m: Module, name: str, values: list[Value]) -> Value:
        """The OR of a value of each column: of four neighbours by a NOR, of these by a NAND.

        The mapper knows no wires: it would take too weak a NOR for the one that is farthest from
        the row's end.
        """
        groups = [
            values[first : first + _NEIGHBOURS] for first in range(0, len(values), _NEIGHBOURS)
        ]
        if len(values) % _NEIGHBOURS or not 2 <= len(groups) <= _NEIGHBOURS:
            return super()._any(m, name, values)
        bits = []
        for bit in range(len(Value.cast(values[0]))):
            none: list[Value] = [
                self._place(
                    m,
                    f"{name}_{bit}_{number}",
                    f"NOR4_{'X2' if number < len(groups) - _NEAR else 'XL'}",
                    [value[bit] for value in group],
                )
                for number, group in enumerate(groups)
            ]
            bits.append(self._place(m, f"{name}_{bit}", f"NAND{len(groups)}_XL", none))
        return Cat(*bits)

    def _place(self, m: Module, name: str, cell: str, inputs: Sequence[Value]) -> Signal:
        """A gate of our own library."""
        output = Signal(name=name)
        pins = {f"i_A{number}": value for number, value in enumerate(inputs, 1)}
        m.submodules[f"or_{name}"] = Instance(cell, **pins, o_ZN=output)
        return output

    def _build_finished_mode(self, m: Module) -> Value:
        """Mode of the tile whose sums are read: two cycles after its last beat and later."""
        control = self.west.control
        finished, read = Signal.like(control.mode), Signal.like(control.mode)
        with m.If(self.west.lane.valid & control.last):
            m.d.sync += finished.eq(control.mode)
        m.d.sync += read.eq(finished)
        return read

    @property
    def _tree(self) -> MacTree:
        return MacTree(ProductPlan.of(self.config))

    def _make_ncu(self) -> StructuralNcu:
        return StructuralNcu(self.config)


class FirstRow(StructuralRow):
    """The northern row, where the fields of weights are reversed.

    Each column has the precision of its tile in registers of its own: those of the NCUs are on the
    longest path.
    """

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return super().module_name.replace("axnn_structural_row", "axnn_first_row")

    def build(self) -> Module:
        """As in other rows; the precision begins in the west."""
        self._mode: Value = self.west.control.mode if mode_bits(self.config) else Const(0)
        return super().build()

    def _enter_column(self, m: Module, col: int, west: Any) -> Any:
        if not self.config.kind.is_packed:
            return self.north[col]
        m.submodules[f"reverse_{col}"] = reverse = ReverseFields(self.config)
        lane: Any = Signal(WEIGHT_LANE, name=f"north_{col}")
        m.d.comb += [
            reverse.lane.eq(self.north[col].operands),
            reverse.mode.eq(self._mode),
            lane.valid.eq(self.north[col].valid),
            lane.operands.eq(reverse.reversed_lane),
        ]
        if col < self.config.cols - 1:
            mode = Signal(max(1, mode_bits(self.config)), reset_less=True, name=f"mode_{col}")
            with m.If(west.lane.valid & west.control.first):
                m.d.sync += mode.eq(self._mode)
            self._mode = mode
        return lane


class StructuralArray(NcuArray):
    """The array of structural NCUs, with the ports of `NcuArray`."""

    def _make_row(self, row: int) -> NcuRow:
        return StructuralRow(self.config) if row else FirstRow(self.config)


class StructuralEngine(Engine):
    """The engine of structural NCUs, with the ports of `Engine`."""

    def _make_array(self) -> NcuArray:
        return StructuralArray(self.config)


class StructuralLibrary(ModuleLibrary):
    """Collects the modules of a structural engine, with the adder tree of its NCUs."""

    def place(self, leaf: Leaf) -> Any:
        """Convert the leaf's body if it is new and return an instance of it."""
        if isinstance(leaf, StructuralNcu):
            self.modules.setdefault(TREE, leaf.tree.rtlil())
        return super().place(leaf)


def structural_units(config: EngineConfig) -> Units:
    """The units of a structural engine; netlists of all of them make the whole engine."""
    return collect_units(StructuralEngine(config), StructuralLibrary(), inside=(TREE,))
