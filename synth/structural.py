"""The structural neural compute unit (NCU): multiplier and accumulator are one tree of full adders.

Simulators and FPGAs use the behavioural multiplier (`qcnpe.rtl.mac`). Mapped to library cells it
would take twice the energy; so synthesis for silicon replaces the NCU by this one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from amaranth.hdl import Const, Instance, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.layouts import ACTIVATION_LANE, WEIGHT_LANE, control_layout, low_segments
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.ncu import Ncu
from qcnpe.spec.config import EngineConfig
from synth.adder_tree import AdderTree, Bit, Drives, rtlil_cells
from synth.liberty.library import Library
from synth.partial_products import ProductPlan
from synth.tree_cells import OWN_CELLS, TreeCells, tree_cells
from synth.units import leaf_rtlil

TREE = "axnn_mac_tree"
"""Name of the tree's module."""


LONGEST_PS = 1500.0
"""Longest estimate of a tree's path with which its registers work at 500 MHz."""

NEARLY = 1.1
"""A tree with fewer breaks is taken if its path is at most this many times the shortest."""


@dataclass(frozen=True)
class MacTree:
    """Sum of products and accumulator as one tree of placed cells.

    Parameters
    ----------
    plan : its bit products
    drives : sizes of its cells
    cells : the library's cells
    breaks : columns at which the carry chain ends: the carry is stored and added one cycle later
    inverted_activations : activations are complements, so that one gate both masks a line and
        drives its products with steep edges, instead of the mask and the activation's flip-flop
    """

    plan: ProductPlan
    drives: Drives = field(default_factory=Drives)
    breaks: tuple[int, ...] = (9, 14, 19, 24, 29, 34)
    inverted_activations: bool = True
    cells: TreeCells = OWN_CELLS

    @cached_property
    def controls(self) -> tuple[tuple[bool, ...], ...]:
        """Functions of the mode by which products are inverted at run time."""
        return tuple(sorted({p.inverted for p in self.plan.products if p.is_switched}))

    @cached_property
    def constants(self) -> tuple[tuple[bool, ...], ...]:
        """For each column, the constant's bit in each mode."""
        columns = range(self.plan.accumulator_bits)
        return tuple(tuple(bool(c >> k & 1) for c in self.plan.constants) for k in columns)

    @cached_property
    def masks(self) -> tuple[tuple[bool, ...], ...]:
        """Functions of the mode that enable weights, except the one that is always true.

        The first one is true at the widest precision only, each other one at one more.
        """
        return tuple(sorted({p.wanted for p in self.plan.products if not all(p.wanted)}))

    def mask_bits(self, precision: int) -> int:
        """Values of the masks at the precision with an index, as they are stored.

        With inverted activations a mask is high where products are not wanted.
        """
        wanted = sum(mask[2 * precision] << number for number, mask in enumerate(self.masks))
        return wanted ^ ((1 << len(self.masks)) - 1) if self.inverted_activations else wanted

    @cached_property
    def built(self) -> tuple[AdderTree, tuple[Bit, ...]]:
        """The placed cells, and the bits that they compute: one a column, then stored carries."""
        tree = AdderTree(self.drives, self.cells)
        columns: list[list[Bit]] = [[] for _ in range(self.plan.accumulator_bits)]
        self._place_products(tree, columns)
        ones = []
        for index, function in enumerate(self.constants):
            ones.append(int(all(function)))
            if any(function) and not all(function):
                columns[index].append(Bit(0.0, f"constants [{index}]"))
        for index, column in enumerate(columns):
            column.append(Bit(self.cells.delays.gate_ps, f"t{index}", True))
        for place, index in enumerate(self.breaks, len(columns)):
            columns[index].append(Bit(self.cells.delays.gate_ps, f"t{place}", True))
        sums, kept = tree.add(columns, ones, self.breaks)
        stored = (*sums, *(kept[index] for index in self.breaks))
        for place, bit in enumerate(stored):
            self._place_feedback(tree, place, bit.inverted)
        return tree, stored

    @property
    def path_ps(self) -> float:
        """Estimate of the longest path through the tree."""
        return max(bit.arrival_ps for bit in self.built[1])

    @property
    def stored_bits(self) -> int:
        """Width of the accumulator with its carries."""
        return self.plan.accumulator_bits + len(self.breaks)

    @cached_property
    def inverted_bits(self) -> int:
        """Bits of `sum` that hold the complement."""
        return sum(bit.inverted << index for index, bit in enumerate(self.built[1]))

    def rtlil(self) -> str:
        """The module as RTLIL.

        `total` is the stored value of `sum`, with its complements; `first` replaces it by zero.
        """
        tree, sums = self.built
        width = self.stored_bits
        ports = {
            "activations": self.plan.bits,
            "weights": self.plan.bits,
            "masks": max(1, len(self.masks)),
            "controls": max(1, len(self.controls)),
            "constants": self.plan.accumulator_bits,
            "total": width,
            "first": 1,
            "keep": 1,
        }
        lines = ["attribute \\keep_hierarchy 0", f"module \\{TREE}"]
        lines += [
            f"  wire width {bits} input {index} \\{name}"
            for index, (name, bits) in enumerate(ports.items(), 1)
        ]
        lines.append(f"  wire width {width} output {len(ports) + 1} \\sum")
        nets = {net for gate in tree.gates for net in gate.pins.values() if " [" not in net}
        lines += [f"  wire \\{net}" for net in sorted(nets - set(ports))]
        lines += rtlil_cells(tree.gates)
        lines += [f"  connect \\sum [{index}] \\{bit.net}" for index, bit in enumerate(sums)]
        return "\n".join([*lines, "end", ""])

    def _place_products(self, tree: AdderTree, columns: list[list[Bit]]) -> None:
        lines, gate_ps = self._drive_lines(tree), self.cells.delays.gate_ps
        for product in self.plan.products:
            net = f"p{product.activation}_{product.weight}"
            line = lines[product.wanted, product.activation]
            arrival = line.arrival_ps + gate_ps
            negative = product.inverted[0] and not product.is_switched
            # Adders that keep polarities get only complements, or many bits would need inverters.
            kind = "AND2" if negative and not self.cells.inverts else "NAND2"
            tree.gate("product", kind, (line.net, f"weights [{product.weight}]"), net)
            bit = Bit(arrival, net, not negative if kind == "NAND2" else True)
            if product.is_switched:
                control = f"controls [{self.controls.index(product.inverted)}]"
                chosen = f"{net}_x"
                tree.gate("product", "XOR2", (control, net), chosen)
                bit = Bit(arrival + 2 * gate_ps, chosen, True)
            columns[product.column].append(bit)

    def _drive_lines(self, tree: AdderTree) -> dict[tuple[tuple[bool, ...], int], Bit]:
        """Every activation bit with every mask: activations toggle less than weights."""
        loads = Counter((p.wanted, p.activation) for p in self.plan.products)
        return {
            (wanted, index): (
                self._drive_line(tree, wanted, index, loads[wanted, index])
                if self.inverted_activations
                else self._mask_line(tree, wanted, index)
            )
            for wanted, index in sorted(loads)
        }

    def _drive_line(self, tree: AdderTree, wanted: tuple[bool, ...], index: int, load: int) -> Bit:
        inputs, net, kind = [f"activations [{index}]"], f"a{index}", "INV"
        if not all(wanted):
            number = self.masks.index(wanted)
            inputs, net, kind = [f"masks [{number}]", *inputs], f"a{index}_{number}", "NOR2"
        stages = self.cells.line(kind, load)
        for number, cell in enumerate(stages, 1):
            output = net if number == len(stages) else f"{net}_{number}_before"
            tree.place("mask", cell, inputs, output)
            inputs = [output]
        return Bit(len(stages) * self.cells.delays.gate_ps, net)

    def _mask_line(self, tree: AdderTree, wanted: tuple[bool, ...], index: int) -> Bit:
        stored = f"activations [{index}]"
        if all(wanted):
            return Bit(0.0, stored)
        number = self.masks.index(wanted)
        net = f"a{index}_{number}"
        cell = self.cells.gate("AND2", self.drives.mask)
        tree.place("mask", cell, (f"masks [{number}]", stored), net)
        return Bit(2 * self.cells.delays.gate_ps, net)

    def _place_feedback(self, tree: AdderTree, index: int, inverted: bool) -> None:
        """The complement of the accumulator's bit, or of zero in a tile's first beat."""
        stored, net = f"total [{index}]", f"t{index}"
        if inverted:
            tree.place("feedback", self.cells.gate("OR2", "XL"), ("first", stored), net)
        else:
            tree.gate("feedback", "NAND2", ("keep", stored), net)


def structural_west_layout(config: EngineConfig, tree: MacTree | None = None) -> data.StructLayout:
    """What a structural NCU takes from its western neighbour: `masks` in place of `mode`."""
    control = dict(control_layout(config).members)
    if control.pop("mode", None) is not None:
        masks = (tree or MacTree(ProductPlan.of(config))).masks
        control["masks"] = unsigned(len(masks))
    return data.StructLayout({"lane": ACTIVATION_LANE, "control": data.StructLayout(control)})


class StructuralNcu(Ncu):
    """An NCU whose multiplier and accumulator are a `MacTree`.

    It differs from `Ncu` in its ports; units that each row or column has once (`synth.row`) convert
    between the two. Activations are complements, the fields of weights are in reverse order, and
    `result` is shifted left by 16 - p places, with the carries that are still to be added above it.
    The precision comes as the masks that it stands for, which need no registers of their own.
    Registers that a valid flag covers have no reset.

    Parameters
    ----------
    config : the engine
    tree : by default that of the engine's plan

    Ports
    -----
    west : in, `structural_west_layout(config, tree)`, activation lane, complemented, and its
        control word
    east : out, `structural_west_layout(config, tree)`, the same, one cycle later
    north : in, `WEIGHT_LANE`, weight lane with its fields in reverse order
    south : out, `WEIGHT_LANE`, the same, one cycle later
    result : out, `(tree or MacTree(ProductPlan.of(config))).stored_bits` bits, the accumulator and
        its carries while `done`, else zero
    done : out, 1 bit, the accumulator holds the sum of a whole tile
    """

    def __init__(self, config: EngineConfig, tree: MacTree | None = None) -> None:
        self.config = config
        self.tree = tree or MacTree(ProductPlan.of(config))
        west = structural_west_layout(config, self.tree)
        Leaf.__init__(
            self,
            {
                "west": In(west),
                "east": Out(west),
                "north": In(WEIGHT_LANE),
                "south": Out(WEIGHT_LANE),
                "result": Out(self.tree.stored_bits),
                "done": Out(1),
            },
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return self.replaced_module.replace("qcnpe_ncu", "axnn_structural_ncu")

    @property
    def replaced_module(self) -> str:
        """Name of the module that it replaces."""
        return super().module_name

    def rtlil(self) -> str:
        """The NCU with its tree, as RTLIL."""
        return self.tree.rtlil() + leaf_rtlil(self)

    def _build_operands(self, m: Module) -> tuple[Any, Any]:
        """As in `Ncu`, except for lanes of zeros.

        The first zero lane is stored, too, which stops toggles in the tree; while zero lanes
        follow, nothing is clocked.
        """
        upper = self._upper
        lane: Any = Signal(self.west.shape(), name="lane", reset_less=True)
        weight: Any = Signal(self.north.shape(), name="weight", reset_less=True)
        valid, weight_valid = Signal(), Signal()
        m.d.sync += [valid.eq(self.west.lane.valid), weight_valid.eq(self.north.valid)]
        control = self.west.control
        with m.If(self.west.lane.valid):
            m.d.sync += [
                lane.lane.zero.eq(self.west.lane.zero),
                lane.control.first.eq(control.first),
                lane.control.last.eq(control.last),
            ]
            with m.If(~(self.west.lane.zero & lane.lane.zero) | control.first):
                m.d.sync += upper(lane.lane.operands).eq(upper(self.west.lane.operands))
            with m.If(control.first):
                m.d.sync += lane.control.is_unsigned.eq(control.is_unsigned)
                if low_segments(self.config):
                    m.d.sync += lane.control.used.eq(control.used)
                if self.tree.masks:
                    m.d.sync += lane.control.masks.eq(control.masks)
        with m.If(self.north.valid):
            m.d.sync += upper(weight.operands).eq(upper(self.north.operands))
        self._build_low_segments(m, lane, weight)
        return _with_valid(m, lane, valid, "lane"), _with_valid(m, weight, weight_valid, "weight")

    def _build_low_segments(self, m: Module, lane: Any, weight: Any) -> None:
        west, first = self.west.lane, self.west.control.first
        still = west.zero & lane.lane.zero
        for index, segment in enumerate(low_segments(self.config)):
            used = lane.control.used[index]
            with m.If(west.valid & (first | used & ~still)):
                m.d.sync += lane.lane.operands[segment].eq(west.operands[segment])
            with m.If(west.valid & self.north.valid & (first | used)):
                m.d.sync += weight.operands[segment].eq(self.north.operands[segment])

    def _build_accumulator(self, m: Module, lane: Any, weight: Any, working: Signal) -> None:
        tree, bits = self.tree, self.tree.stored_bits
        total, sums = Signal(bits, reset_less=True), Signal(bits)
        first = lane.control.first
        m.submodules.tree = Instance(
            TREE,
            i_activations=lane.lane.operands,
            i_weights=weight.operands,
            i_masks=lane.control.masks if tree.masks else Const(0, 1),
            i_controls=self._functions(tree.controls, lane.control),
            i_constants=self._functions(tree.constants, lane.control),
            i_total=total,
            i_first=first,
            i_keep=~first,
            o_sum=sums,
        )
        with m.If(working & (first | ~lane.lane.zero)):
            m.d.sync += total.eq(sums)
        m.d.sync += self.done.eq(working & lane.control.last)
        true = total ^ Const(tree.inverted_bits, bits)
        m.d.comb += self.result.eq(Mux(self.done, true, 0))

    def _functions(self, functions: Sequence[Sequence[bool]], control: Any) -> Value:
        """Values of functions of the mode, one bit each."""
        signs = [
            [Const(_word(functions, 2 * precision + sign), len(functions) or 1) for sign in (0, 1)]
            for precision in range(len(self.tree.masks) + 1)
        ]
        *wider, value = (Mux(control.is_unsigned, *pair[::-1]) for pair in signs)
        for number, one in reversed(list(enumerate(wider))):
            wanted = control.masks[number] ^ self.tree.inverted_activations
            value = Mux(wanted, one, value)
        return value


def _word(functions: Sequence[Sequence[bool]], mode: int) -> int:
    """Values of functions in a mode."""
    return sum(function[mode] << number for number, function in enumerate(functions))


def structural_ncu(config: EngineConfig, library: Library) -> StructuralNcu:
    """The structural NCU of an engine, of a library's cells.

    A library whose adders are too slow for the usual breaks of the carry chain gets as many as it
    needs.
    """
    tree = MacTree(ProductPlan.of(config), cells=tree_cells(library))
    if tree.path_ps > LONGEST_PS:
        ends = config.accumulator_bits - 2
        trees = [
            replace(tree, breaks=tuple(range(first, ends, step)))
            for first in range(7, 13)
            for step in range(3, 7)
        ]
        shortest = min(each.path_ps for each in trees)
        good = (each for each in trees if each.path_ps <= NEARLY * shortest)
        tree = min(good, key=lambda each: (len(each.breaks), each.path_ps))
    return StructuralNcu(config, tree)


def _with_valid(m: Module, register: Any, valid: Signal, name: str) -> Any:
    """A register whose valid flag is a separate signal, since only the flag has a reset."""
    view: Any = Signal(register.shape(), name=f"{name}_now")
    m.d.comb += view.eq(register)
    if name == "lane":
        m.d.comb += view.lane.valid.eq(valid)
    else:
        m.d.comb += view.valid.eq(valid)
    return view
