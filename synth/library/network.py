"""Transistor networks: built from logic expressions, laid out by rule, written as SPICE."""

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from synth.library.errors import CellDesignError
from synth.library.technology import Technology

SUPPLY, GROUND = "VDD", "VSS"
Polarity = Literal["n", "p"]


@dataclass(frozen=True)
class Transistor:
    """One transistor; `width_um` is the total of its `fingers`."""

    polarity: Polarity
    drain: str
    gate: str
    source: str
    width_um: float
    fingers: int = 1


@dataclass(frozen=True)
class Widths:
    """n and p widths of a stage in um."""

    n_um: float
    p_um: float


def _operands(node: ast.expr, kind: type[ast.operator]) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, kind):
        return _operands(node.left, kind) + _operands(node.right, kind)
    return [node]


class _Builder:
    """Builds the pull-down and pull-up networks of one complementary gate."""

    def __init__(self, output: str, widths: Widths, tech: Technology, mirror: bool) -> None:
        self.output, self.widths, self.tech = output, widths, tech
        self.mirror = mirror
        self.made: list[Transistor] = []
        self.nodes = 0

    def grow(self, node: ast.expr, top: str, bottom: str, polarity: Polarity) -> None:
        """Connect `top` to `bottom` where the expression (n) or its complement (p) holds."""
        if isinstance(node, ast.Name):
            self._place(polarity, top, node.id, bottom)
            return
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.BitAnd | ast.BitOr):
            raise CellDesignError(f"stage {self.output}: only names, & and | are allowed")
        parts = _operands(node, type(node.op))
        if isinstance(node.op, ast.BitAnd) == (polarity == "n" or self.mirror):
            self._series(parts, top, bottom, polarity)
        else:
            for part in parts:
                self.grow(part, top, bottom, polarity)

    def _series(self, parts: list[ast.expr], top: str, bottom: str, polarity: Polarity) -> None:
        inner = [self._node(polarity) for _ in parts[1:]]
        nodes = [top, *inner, bottom]
        for part, upper, lower in zip(parts, nodes, nodes[1:], strict=False):
            self.grow(part, upper, lower, polarity)

    def _node(self, polarity: Polarity) -> str:
        self.nodes += 1
        return f"{self.output}_{polarity}{self.nodes}"

    def _place(self, polarity: Polarity, drain: str, gate: str, source: str) -> None:
        width = self.widths.n_um if polarity == "n" else self.widths.p_um
        self.made.append(finger(self.tech, polarity, drain, gate, source, width))


def finger(
    tech: Technology, polarity: Polarity, drain: str, gate: str, source: str, width_um: float
) -> Transistor:
    """A transistor folded into as few fingers as the row height allows."""
    limit = tech.n_width_um if polarity == "n" else tech.p_width_um
    fingers = 1 if width_um <= limit + 1e-9 else round(-(-(width_um - 1e-9) // limit))
    return Transistor(polarity, drain, gate, source, round(width_um, 4), fingers)


def gate(
    output: str, pull_down: str, widths: Widths, tech: Technology, mirror: bool = False
) -> list[Transistor]:
    """Static complementary gate: `output` is the inverse of the expression `pull_down`.

    With `mirror` the pull-up repeats the pull-down's topology instead of its dual, which is right
    for self-dual functions (carry, sum) and saves a level of stacking.
    """
    builder = _Builder(output, widths, tech, mirror)
    tree = ast.parse(pull_down, mode="eval").body
    builder.grow(tree, output, GROUND, "n")
    builder.grow(tree, output, SUPPLY, "p")
    return builder.made


@dataclass(frozen=True)
class Network:
    """The transistors of one cell, with their area and parasitics by the layout rule."""

    transistors: tuple[Transistor, ...]

    @cached_property
    def nets(self) -> tuple[str, ...]:
        """All nets but the rails, sorted."""
        names = {n for t in self.transistors for n in (t.drain, t.gate, t.source)}
        return tuple(sorted(names - {SUPPLY, GROUND}))

    @cached_property
    def diffusions(self) -> Counter[tuple[str, str]]:
        """Number of diffusion terminals (fingers) for each (polarity, net)."""
        count: Counter[tuple[str, str]] = Counter()
        for t in self.transistors:
            for net in _finger_terminals(t):
                count[t.polarity, net] += 1
        return count

    def columns(self) -> int:
        """Gate columns: fingers that share a gate net stack n over p, breaks cost one each."""
        gates: dict[str, Counter[str]] = {}
        for t in self.transistors:
            gates.setdefault(t.gate, Counter())[t.polarity] += t.fingers
        stacked = sum(max(c["n"], c["p"]) for c in gates.values())
        return stacked + max(self._strips("n"), self._strips("p")) - 1

    def _strips(self, polarity: Polarity) -> int:
        """Fewest diffusion strips: an Euler trail needs half the nets of odd degree."""
        strips = 0
        for group in self._groups(polarity):
            odd = sum(self.diffusions[polarity, net] % 2 for net in group)
            strips += max(1, odd // 2)
        return strips

    def _groups(self, polarity: Polarity) -> list[set[str]]:
        groups: list[set[str]] = []
        for t in self.transistors:
            if t.polarity == polarity:
                ends = {t.drain, t.source}
                touching = [g for g in groups if g & ends]
                groups = [g for g in groups if not g & ends]
                groups.append(ends.union(*touching))
        return groups

    def wire_ff(self, tech: Technology) -> dict[str, float]:
        """Wiring capacitance of each net; a plain series node has no contact, hence none."""
        columns: Counter[str] = Counter()
        for t in self.transistors:
            columns[t.gate] += t.fingers
        result = {}
        for net in self.nets:
            n, p = self.diffusions["n", net], self.diffusions["p", net]
            if not columns[net] and sorted((n, p)) == [0, 2]:
                continue
            # Fingers next to one another share a contact; n and p fingers share a gate column.
            contacts = -(-n // 2) + -(-p // 2) + bool(columns[net])
            gates = -(-columns[net] // 2)
            result[net] = contacts * tech.contact_wire_ff + gates * tech.gate_column_wire_ff
        return result

    def spice(self, name: str, pins: Iterable[str], tech: Technology) -> str:
        """The cell as a SPICE subcircuit with its diffusions and wiring capacitance."""
        lines = [f".subckt {name} {' '.join(pins)} {SUPPLY} {GROUND}"]
        lines += [self._spice_line(i, t, tech) for i, t in enumerate(self.transistors)]
        for net, cap_ff in sorted(self.wire_ff(tech).items()):
            lines.append(f"C{net} {net} {GROUND} {cap_ff:.4g}f")
        return "\n".join([*lines, ".ends", ""])

    def _spice_line(self, index: int, t: Transistor, tech: Technology) -> str:
        bulk, model = (GROUND, tech.n_model) if t.polarity == "n" else (SUPPLY, tech.p_model)
        drain_um, drain_edge = self._diffusion(t, t.drain, tech)
        source_um, source_edge = self._diffusion(t, t.source, tech)
        width = t.width_um / t.fingers
        return (
            f"M{index} {t.drain} {t.gate} {t.source} {bulk} {model} W={width:.4g}u"
            f" L={tech.gate_length_um:.4g}u M={t.fingers}"
            f" AD={width * drain_um:.5g}p PD={drain_edge:.5g}u"
            f" AS={width * source_um:.5g}p PS={source_edge:.5g}u"
        )

    def _diffusion(self, t: Transistor, net: str, tech: Technology) -> tuple[float, float]:
        """Mean diffusion length and perimeter (um, gate edge included) of a finger's terminal.

        Terminals of one net pair up into shared diffusions, of which each gets half; an odd one
        out is the end of a strip.
        """
        count = self.diffusions[t.polarity, net]
        ends = count % 2
        share = ends / count
        width = t.width_um / t.fingers
        length = (1 - share) * tech.shared_diffusion_um / 2 + share * tech.end_diffusion_um
        perimeter = 2 * length + width + share * width
        return length, perimeter


def _finger_terminals(t: Transistor) -> list[str]:
    """Diffusion terminals of a folded transistor, one drain and one source a finger."""
    return [t.drain, t.source] * t.fingers
