"""Adds columns of bits with full adders, in the order of their arrival.

Full adders are library cells that this module places itself: a mapper that sees them as logic
replaces them by other gates. The adder without output inverters is the smallest and takes the least
energy. Its outputs are inverted, or, if its inputs are, true. So each bit has a polarity, and
inverters are placed only where a column has no three bits of the same polarity. An adder with true
outputs keeps the polarity of its inputs. In a library without adders they are made of gates.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from synth.tree_cells import OWN_CELLS, GateCell, TreeCells

_NAND = {False: "NAND2", True: "NOR2"}
"""The gate that gives the complement of x & y, or, from complements, x & y."""


@dataclass(frozen=True, order=True)
class Bit:
    """A bit of a column.

    Attributes
    ----------
    arrival_ps : when it is stable
    net : its net
    inverted : whether the net holds its complement
    """

    arrival_ps: float
    net: str
    inverted: bool = False


@dataclass(frozen=True)
class Gate:
    """A placed library cell: its name, its cell, and the net of each pin."""

    name: str
    cell: str
    pins: Mapping[str, str]


@dataclass(frozen=True)
class Drives:
    """Drive strengths of our own library's cells.

    Attributes
    ----------
    tree, carry : drive of the adders in the tree, and of the last one of each column
    mask : drive of the gates that mask operands
    """

    tree: str = "XS"
    carry: str = "XS"
    mask: str = "XL"


@dataclass
class AdderTree:
    """Collects the gates that add columns of bits.

    Attributes
    ----------
    drives : sizes
    cells : the library's cells
    gates : the placed cells
    """

    drives: Drives = field(default_factory=Drives)
    cells: TreeCells = OWN_CELLS
    gates: list[Gate] = field(default_factory=list)

    def place(self, role: str, cell: GateCell, inputs: Sequence[str], output: str) -> None:
        """Place a gate; its role is the prefix of its name."""
        pins = dict(zip((*cell.inputs, cell.output), (*inputs, output), strict=True))
        self.gates.append(Gate(f"{role}_{len(self.gates)}", cell.cell, pins))

    def gate(self, role: str, kind: str, inputs: Sequence[str], output: str) -> None:
        """Place a gate of the tree's drive."""
        self.place(role, self.cells.gate(kind, self.drives.tree), inputs, output)

    def add(
        self, columns: list[list[Bit]], ones: list[int], breaks: Collection[int] = ()
    ) -> tuple[list[Bit], dict[int, Bit]]:
        """Add all bits: one bit for each column, the sum modulo 2**columns.

        Parameters
        ----------
        columns : bits by weight
        ones : 1 for every column to which a constant one is added
        breaks : columns into which the latest carry does not go; it is returned instead

        Returns
        -------
        sums : by column
        carries : by column, those that `breaks` cuts off
        """
        sums, kept, carries = [], {}, list[Bit]()
        for index, (column, one) in enumerate(zip(columns, ones, strict=True)):
            if index in breaks:
                kept[index] = max(carries)
                carries.remove(kept[index])
            total, carries = self._column([*column, *carries], one, index)
            sums.append(total)
        return sums, kept

    def _column(self, bits: list[Bit], one: int, index: int) -> tuple[Bit, list[Bit]]:
        carries: list[Bit] = []
        while len(bits) + one > 1:
            if len(bits) + one <= 3 and one:
                total, carry = self._with_one(bits, index)
                return total, [*carries, carry]
            taken = self._pick(bits, min(3, len(bits)))
            bits = [bit for bit in bits if bit not in taken]
            last = not bits
            chosen = self._same_polarity(taken)
            total, carry = (
                self._full(chosen, index, last) if len(chosen) == 3 else self._half(chosen, index)
            )
            bits.append(total)
            carries.append(carry)
        return bits[0], carries

    def _pick(self, bits: list[Bit], count: int) -> list[Bit]:
        """The bits to add next: the earliest, of one polarity if that costs no time."""
        if len(bits) <= count:
            return bits
        groups = [sorted(bit for bit in bits if bit.inverted is side) for side in (False, True)]
        ready = [group[:count] for group in groups if len(group) >= count]
        if ready:
            return min(ready, key=lambda group: group[-1].arrival_ps)
        return sorted(bits)[:count]

    def _same_polarity(self, bits: list[Bit]) -> list[Bit]:
        inverted = [bit for bit in bits if bit.inverted]
        plain = [bit for bit in bits if not bit.inverted]
        few, many = sorted((inverted, plain), key=len)
        return sorted([*many, *(self._invert(bit) for bit in few)])

    def _invert(self, bit: Bit) -> Bit:
        net = f"{bit.net.replace(' [', '_').removesuffix(']')}_n"
        self.gate("inv", "INV", (bit.net,), net)
        return Bit(bit.arrival_ps + self.cells.delays.gate_ps, net, not bit.inverted)

    def _full(self, bits: list[Bit], index: int, last: bool) -> tuple[Bit, Bit]:
        drives, delays, number = self.drives, self.cells.delays, len(self.gates)
        late = bits[-1]
        total, carry = f"s{index}_{number}", f"c{index}_{number}"
        adder = self.cells.adder(drives.carry if last else drives.tree)
        nets = [bit.net for bit in bits]
        if adder is None:
            self._full_of_gates(nets, total, carry)
        else:
            pins = dict(zip(adder.inputs, nets, strict=True))
            pins |= {adder.carry: carry, adder.total: total}
            self.gates.append(Gate(f"add_{number}", adder.cell, pins))
        sum_ps = delays.last_sum_ps if last else delays.adder_sum_ps
        carry_ps = delays.last_carry_ps if last else delays.adder_carry_ps
        polarity = late.inverted != self.cells.inverts
        return (
            Bit(late.arrival_ps + sum_ps, total, polarity),
            Bit(late.arrival_ps + carry_ps, carry, polarity),
        )

    def _full_of_gates(self, nets: Sequence[str], total: str, carry: str) -> None:
        """A full adder of two XORs and three NANDs; of complements it gives complements."""
        first, second, late = nets
        self.gate("add", "XOR2", (first, second), f"{total}_x")
        self.gate("add", "XOR2", (f"{total}_x", late), total)
        self.gate("add", "NAND2", (first, second), f"{carry}_g")
        self.gate("add", "NAND2", (f"{total}_x", late), f"{carry}_p")
        self.gate("add", "NAND2", (f"{carry}_g", f"{carry}_p"), carry)

    def _half(self, bits: list[Bit], index: int) -> tuple[Bit, Bit]:
        """Add x and y: the carry is x & y."""
        inverted = bits[0].inverted
        if self.cells.inverts:
            return self._pair(bits, index, "XOR2", _NAND[inverted], (False, not inverted))
        adder, gate = ("XNOR2", "OR2") if inverted else ("XOR2", "AND2")
        return self._pair(bits, index, adder, gate, (inverted, inverted))

    def _with_one(self, bits: list[Bit], index: int) -> tuple[Bit, Bit]:
        """Add x and one, or x, y and one; the carry of the latter is x | y."""
        if len(bits) == 1:
            (bit,) = bits
            return Bit(bit.arrival_ps, bit.net, not bit.inverted), bit
        bits = self._same_polarity(bits)
        inverted = bits[0].inverted
        if self.cells.inverts:
            return self._pair(bits, index, "XNOR2", _NAND[not inverted], (False, not inverted))
        adder, gate = ("XOR2", "AND2") if inverted else ("XNOR2", "OR2")
        return self._pair(bits, index, adder, gate, (inverted, inverted))

    def _pair(
        self,
        bits: list[Bit],
        index: int,
        adder: str,
        gate: str,
        inverted: tuple[bool, bool],
    ) -> tuple[Bit, Bit]:
        """Sum and carry of two bits by two gates, whose polarities are `inverted`."""
        gate_ps, number = self.cells.delays.gate_ps, len(self.gates)
        first, second = bits
        total, carry = f"s{index}_{number}", f"c{index}_{number}"
        self.gate("add", adder, (first.net, second.net), total)
        self.gate("add", gate, (first.net, second.net), carry)
        return (
            Bit(second.arrival_ps + 2 * gate_ps, total, inverted[0]),
            Bit(second.arrival_ps + gate_ps, carry, inverted[1]),
        )


def rtlil_cells(gates: list[Gate]) -> Iterator[str]:
    """Gates as RTLIL."""
    for gate in gates:
        cell = gate.cell if gate.cell.startswith("$") else f"\\{gate.cell}"
        yield f"  cell {cell} \\{gate.name}"
        yield from (f"    connect \\{pin} \\{net}" for pin, net in gate.pins.items())
        yield "  end"
