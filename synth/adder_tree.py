"""Adds columns of bits with full adders, in the order of their arrival.

Full adders are library cells that this module places itself: a mapper that sees them as logic
replaces them by other gates. The adder without output inverters is the smallest and takes the least
energy. Its outputs are inverted, or, if its inputs are, true. So each bit has a polarity, and
inverters are placed only where a column has no three bits of the same polarity.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field


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
    """Drive strengths and the delays by which the order of additions is chosen.

    Attributes
    ----------
    tree, carry : drive of the adders in the tree, and of the last one of each column
    adder_sum_ps, adder_carry_ps : delays of an adder in the tree
    last_sum_ps, last_carry_ps : delays of the last adder of a column
    gate_ps : of a simple gate
    mask : drive of the gates that mask operands
    mask_ps : their delay
    """

    tree: str = "XS"
    carry: str = "XS"
    adder_sum_ps: float = 90
    adder_carry_ps: float = 50
    last_sum_ps: float = 90
    last_carry_ps: float = 45
    gate_ps: float = 25
    mask: str = "XL"
    mask_ps: float = 50


@dataclass
class AdderTree:
    """Collects the gates that add columns of bits.

    Attributes
    ----------
    drives : sizes and delays
    gates : the placed cells
    """

    drives: Drives = field(default_factory=Drives)
    gates: list[Gate] = field(default_factory=list)

    def place(self, kind: str, cell: str, **pins: str) -> None:
        """Place a cell; `kind`, its role, is the prefix of its name."""
        self.gates.append(Gate(f"{kind}_{len(self.gates)}", cell, pins))

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
        net = f"{bit.net}_n"
        self.place("inv", f"INV_{self.drives.tree}", A=bit.net, ZN=net)
        return Bit(bit.arrival_ps + self.drives.gate_ps, net, not bit.inverted)

    def _full(self, bits: list[Bit], index: int, last: bool) -> tuple[Bit, Bit]:
        drives, number = self.drives, len(self.gates)
        early, middle, late = bits
        total, carry = f"s{index}_{number}", f"c{index}_{number}"
        cell = f"FAI_{drives.carry if last else drives.tree}"
        pins = {"A": early.net, "B": middle.net, "CI": late.net, "CON": carry, "SN": total}
        self.place("add", cell, **pins)
        sum_ps = drives.last_sum_ps if last else drives.adder_sum_ps
        carry_ps = drives.last_carry_ps if last else drives.adder_carry_ps
        polarity = not early.inverted
        return (
            Bit(late.arrival_ps + sum_ps, total, polarity),
            Bit(late.arrival_ps + carry_ps, carry, polarity),
        )

    def _half(self, bits: list[Bit], index: int) -> tuple[Bit, Bit]:
        """Add x and y: the carry x & y is a NAND of true or a NOR of inverted inputs."""
        return self._pair(bits, index, "XOR2", "Z", {False: "NAND2", True: "NOR2"})

    def _with_one(self, bits: list[Bit], index: int) -> tuple[Bit, Bit]:
        """Add x and one, or x, y and one; the carry of the latter is x | y."""
        if len(bits) == 1:
            (bit,) = bits
            return Bit(bit.arrival_ps, bit.net, not bit.inverted), bit
        bits = self._same_polarity(bits)
        return self._pair(bits, index, "XNOR2", "ZN", {False: "NOR2", True: "NAND2"})

    def _pair(
        self, bits: list[Bit], index: int, adder: str, pin: str, gates: Mapping[bool, str]
    ) -> tuple[Bit, Bit]:
        drives, number = self.drives, len(self.gates)
        first, second = bits
        total, carry = f"s{index}_{number}", f"c{index}_{number}"
        self.place("add", f"{adder}_{drives.tree}", A=first.net, B=second.net, **{pin: total})
        gate = f"{gates[first.inverted]}_{drives.tree}"
        self.place("add", gate, A1=first.net, A2=second.net, ZN=carry)
        return (
            Bit(second.arrival_ps + 2 * drives.gate_ps, total, False),
            Bit(second.arrival_ps + drives.gate_ps, carry, not first.inverted),
        )


def rtlil_cells(gates: list[Gate]) -> Iterator[str]:
    """Gates as RTLIL."""
    for gate in gates:
        yield f"  cell \\{gate.cell} \\{gate.name}"
        yield from (f"    connect \\{pin} \\{net}" for pin, net in gate.pins.items())
        yield "  end"
