"""The cells, each as a short list of transistor stages.

Sizing rule
    A stage of drive d has n fingers of d x 0.42 um and p fingers of d x 0.63 um (ratio 1.5, the
    square root of the carrier mobility ratio, gives the least mean delay). Drives of one and more
    use full-height fingers, so a stack cannot be made wider there; below one, every transistor of
    a stack of k is wider by 1 + (k - 1) / 2, up to the full height, except in full
    adders, where energy counts more. Stages that do not drive an output pin have half the cell's
    drive, storage nodes a quarter (at least 0.25). Nothing is narrower than the process minimum.

Topologies kept by measurement (`python -m synth.library.alternatives`)
    FA: mirror adder against a transmission-gate adder; flip-flop: single-phase static (six clocked
    transistors, no local clock inverters) against the transmission-gate master-slave pair.
    The figures are in the docstrings of the builders.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from synth.library.network import (
    GROUND,
    SUPPLY,
    Network,
    Polarity,
    Transistor,
    Widths,
    finger,
    gate,
)
from synth.library.technology import TECHNOLOGY, Technology

Kind = Literal["logic", "flipflop", "latch", "clockgate", "tie"]
DRIVE_NAMES = {"XS": 0.25, "XL": 0.5, "X1": 1.0, "X2": 2.0, "X4": 4.0, "X8": 8.0, "X16": 16.0}


@dataclass(frozen=True)
class Cell:
    """A cell: pins, function, transistors.

    `functions` maps an output to its Liberty expression; in sequential cells a function of the
    internal state IQ (and IQN). `stack` is the longest chain of transistors that drives an output.
    """

    name: str
    inputs: tuple[str, ...]
    functions: dict[str, str]
    network: Network
    drive: float
    stack: int = 1
    kind: Kind = "logic"
    clock: str = ""
    data: str = ""
    preamble: tuple[str, ...] = field(default=())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Output pins in order of declaration."""
        return tuple(self.functions)

    @property
    def pins(self) -> tuple[str, ...]:
        """Signal pins, inputs first."""
        return self.inputs + self.outputs

    @property
    def area_um2(self) -> float:
        """Area in um2 by the layout rule."""
        return TECHNOLOGY.area_um2(self.network.columns())

    @property
    def dont_use(self) -> bool:
        """Whether mappers should not use the cell: quarter drives are for sizing by hand."""
        return self.drive < DRIVE_NAMES["XL"]

    @property
    def footprint(self) -> str:
        """Name without the drive: cells of one footprint are interchangeable."""
        return self.name.rsplit("_", 1)[0]

    def spice(self) -> str:
        """SPICE subcircuit; pins in the order of `pins`, then VDD VSS."""
        return self.network.spice(self.name, self.pins, TECHNOLOGY)


def widths(
    drive: float, n_stack: int = 1, p_stack: int = 1, tech: Technology = TECHNOLOGY
) -> Widths:
    """Transistor widths of a stage by the sizing rule above."""

    def one(full_um: float, stack: int) -> float:
        if drive >= 1:
            return drive * full_um
        return max(tech.min_width_um, min(full_um, drive * full_um * (1 + (stack - 1) / 2)))

    return Widths(one(tech.n_width_um, n_stack), one(tech.p_width_um, p_stack))


def inner(drive: float) -> float:
    """Drive of a stage inside a cell."""
    return drive / 2


def storage(drive: float) -> float:
    """Drive of the nodes that store a bit: a quarter of the cell's, as small as devices allow."""
    return max(0.25, drive / 4)


class Stages:
    """Collects the transistors of a cell, stage by stage."""

    def __init__(self, tech: Technology = TECHNOLOGY) -> None:
        self.tech = tech
        self.made: list[Transistor] = []

    def gate(self, output: str, pull_down: str, size: Widths, mirror: bool = False) -> "Stages":
        """A complementary gate: output = not pull_down."""
        self.made += gate(output, pull_down, size, self.tech, mirror)
        return self

    def inverter(self, output: str, source: str, drive: float) -> "Stages":
        """An inverter."""
        return self.gate(output, source, widths(drive))

    def fet(
        self, polarity: Polarity, drain: str, gate_net: str, source: str, size: Widths
    ) -> "Stages":
        """A single transistor."""
        width = size.n_um if polarity == "n" else size.p_um
        self.made.append(finger(self.tech, polarity, drain, gate_net, source, width))
        return self

    def pass_gate(self, one: str, other: str, n_gate: str, p_gate: str, size: Widths) -> "Stages":
        """A transmission gate: conducts while n_gate is high and p_gate low."""
        return self.fet("n", one, n_gate, other, size).fet("p", one, p_gate, other, size)

    def tristate(
        self, output: str, source: str, n_gate: str, p_gate: str, size: Widths
    ) -> "Stages":
        """An inverter that drives while n_gate is high and p_gate low."""
        lower, upper = f"{output}_{source}_n", f"{output}_{source}_p"
        self.fet("n", output, n_gate, lower, size).fet("n", lower, source, GROUND, size)
        return self.fet("p", output, p_gate, upper, size).fet("p", upper, source, SUPPLY, size)

    def network(self) -> Network:
        """The finished network."""
        return Network(tuple(self.made))


# ---------------------------------------------------------------------------------------- logic


def _simple(base: str, pull_down: str, function: str, n_stack: int, p_stack: int) -> "Maker":
    """Single-stage inverting gate."""
    pins = tuple(sorted(set(re.findall(r"\w+", pull_down))))

    def make(name: str, drive: float) -> Cell:
        net = Stages().gate("ZN", pull_down, widths(drive, n_stack, p_stack)).network()
        return Cell(name, pins, {"ZN": function}, net, drive, max(n_stack, p_stack))

    return make


def _buffered(pull_down: str, pins: tuple[str, ...], function: str, n: int, p: int) -> "Maker":
    """Inverting gate at half the drive, then an inverter."""

    def make(name: str, drive: float) -> Cell:
        stages = Stages().gate("zn", pull_down, widths(inner(drive), n, p))
        return Cell(name, pins, {"Z": function}, stages.inverter("Z", "zn", drive).network(), drive)

    return make


def _xor(name: str, drive: float) -> Cell:
    """XOR as NOR2 and AOI21 (ten transistors, no transmission gates)."""
    stages = Stages().gate("nor", "A | B", widths(inner(drive), 1, 2))
    stages.gate("Z", "A & B | nor", widths(drive, 2, 2))
    return Cell(name, ("A", "B"), {"Z": "(A ^ B)"}, stages.network(), drive, 2)


def _xnor(name: str, drive: float) -> Cell:
    """XNOR as NAND2 and OAI21."""
    stages = Stages().gate("nand", "A & B", widths(inner(drive), 2, 1))
    stages.gate("ZN", "(A | B) & nand", widths(drive, 2, 2))
    return Cell(name, ("A", "B"), {"ZN": "!(A ^ B)"}, stages.network(), drive, 2)


def _mux(name: str, drive: float) -> Cell:
    """Two tristate inverters and an output inverter: no pin reaches a diffusion."""
    small = widths(inner(drive), 2, 2)
    stages = Stages().inverter("sn", "S", inner(drive))
    stages.tristate("zn", "A", "sn", "S", small).tristate("zn", "B", "S", "sn", small)
    function = {"Z": "((S & B) | (!S & A))"}
    return Cell(name, ("A", "B", "S"), function, stages.inverter("Z", "zn", drive).network(), drive)


def _half_adder(name: str, drive: float) -> Cell:
    """NAND2 for the carry, reused by an OAI21 for the sum."""
    small = inner(drive)
    stages = Stages().gate("con", "A & B", widths(small, 2, 1)).inverter("CO", "con", drive)
    stages.gate("sn", "(A | B) & con", widths(small, 2, 2)).inverter("S", "sn", drive)
    return Cell(name, ("A", "B"), {"CO": "(A & B)", "S": "(A ^ B)"}, stages.network(), drive)


FA_PINS = ("A", "B", "CI")
FA_FUNCTIONS = {"CO": "((A & B) | (CI & (A | B)))", "S": "(A ^ B ^ CI)"}


def full_adder_mirror(name: str, drive: float) -> Cell:
    """Mirror adder: 24 transistors and two output inverters.

    Measured with 20 ps transitions and 4 fF, mean over all input toggles with the pins' energy:
    4.7 fJ (drive 0.5) and 8.4 fJ (drive 1); the transmission-gate adder takes 6.7 and 11.6 fJ.
    """
    size = widths(inner(drive))
    stages = Stages().gate("con", "A & B | CI & (A | B)", size, mirror=True)
    stages.gate("sn", "con & (A | B | CI) | A & B & CI", size, mirror=True)
    stages.inverter("CO", "con", drive).inverter("S", "sn", drive)
    return Cell(name, FA_PINS, FA_FUNCTIONS, stages.network(), drive)


def inverting_full_adder(name: str, drive: float) -> Cell:
    """Mirror adder without its output inverters: both outputs inverted, the carry drives the sum.

    Sum and carry of inverted operands are the inverted sum and carry, so levels of a tree may
    alternate in polarity. At drive 0.25: 2.6 fJ a toggle against 4.7 fJ of FA_XL, 3.46 um2 against
    4.26 um2, 87 ps against 77 ps at 2 fF, but 130 ps against 83 ps at 4 fF.
    """
    size = widths(drive)
    stages = Stages().gate("CON", "A & B | CI & (A | B)", size, mirror=True)
    stages.gate("SN", "CON & (A | B | CI) | A & B & CI", size, mirror=True)
    functions = {"CON": "!((A & B) | (CI & (A | B)))", "SN": "!(A ^ B ^ CI)"}
    return Cell(name, FA_PINS, functions, stages.network(), drive, 2)


def full_adder_pass(name: str, drive: float) -> Cell:
    """Transmission-gate adder: propagate = A xor B steers sum and carry multiplexers."""
    small = inner(drive)
    size, stacked = widths(small), widths(small, 2, 2)
    stages = Stages().inverter("an", "A", small).inverter("bn", "B", small)
    stages.pass_gate("p", "an", "B", "bn", size).tristate("p", "an", "bn", "B", stacked)
    stages.inverter("pn", "p", small).inverter("cn", "CI", small).inverter("c", "cn", small)
    stages.pass_gate("sn", "c", "p", "pn", size).pass_gate("sn", "cn", "pn", "p", size)
    stages.pass_gate("con", "cn", "p", "pn", size).pass_gate("con", "an", "pn", "p", size)
    stages.inverter("CO", "con", drive).inverter("S", "sn", drive)
    return Cell(name, FA_PINS, FA_FUNCTIONS, stages.network(), drive)


# ------------------------------------------------------------------------------------ sequential


def _low_pair(stages: Stages, data: str, data_n: str, clock: str, drive: float) -> None:
    """Storage pair m, mn that follows not data, data while the clock is low.

    Two cross-coupled OAI21 gates, m = !((clock | data) & mn) and mn = !((clock | data_n) & m).
    data and data_n are complements, so one n transistor of the clock can serve both gates as a
    bridge: three clocked transistors, no inverted clock, always static, never a fight. The p
    transistors of the clock stay apart: a shared one would join m and mn while data switches.
    """
    size = widths(drive)
    stages.fet("n", "m", "mn", "x", size).fet("n", "x", data, GROUND, size)
    stages.fet("n", "mn", "m", "y", size).fet("n", "y", data_n, GROUND, size)
    stages.fet("n", "x", clock, "y", size)
    stages.fet("p", "m", data, "w", size).fet("p", "w", clock, SUPPLY, size)
    stages.fet("p", "mn", data_n, "wn", size).fet("p", "wn", clock, SUPPLY, size)
    stages.fet("p", "m", "mn", SUPPLY, size).fet("p", "mn", "m", SUPPLY, size)


def _high_pair(stages: Stages, data: str, data_n: str, clock: str, drive: float) -> None:
    """Storage pair s, sn that follows not data, data while the clock is high (dual of the above).

    The n transistors of the clock stay apart: while the pair in front switches, data and data_n
    are both high for a moment, and a shared transistor would join s and sn.
    """
    size = widths(drive)
    stages.fet("p", "s", "sn", "u", size).fet("p", "u", data, SUPPLY, size)
    stages.fet("p", "sn", "s", "v", size).fet("p", "v", data_n, SUPPLY, size)
    stages.fet("p", "u", clock, "v", size)
    stages.fet("n", "s", data, "z", size).fet("n", "z", clock, GROUND, size)
    stages.fet("n", "sn", data_n, "zn", size).fet("n", "zn", clock, GROUND, size)
    stages.fet("n", "s", "sn", GROUND, size).fet("n", "sn", "s", GROUND, size)


def _flipflop(name: str, stages: Stages, functions: dict[str, str], drive: float) -> Cell:
    return Cell(
        name,
        ("D", "CK"),
        functions,
        stages.network(),
        drive,
        kind="flipflop",
        clock="CK",
        data="D",
        preamble=("CK", "CK"),
    )


def flipflop_single_phase(name: str, drive: float, both: bool = True) -> Cell:
    """Rising-edge flip-flop of two single-phase pairs: six clocked transistors.

    Measured as above at drive 0.5 or 1, clock pin included: an idle clock cycle takes 1.7 fJ, a
    data toggle 2.7 fJ; the transmission-gate flip-flop takes 5.2 fJ and 1.5 fJ. There are no local
    clock inverters that several bits could share, so no multi-bit cell is needed. Tried by
    hand, it works at 0 and 100 C in all corners of the models, also skewed, up to 400 ps slew.
    """
    stages = Stages().inverter("dn", "D", storage(drive))
    _low_pair(stages, "D", "dn", "CK", storage(drive))
    _high_pair(stages, "mn", "m", "CK", storage(drive))
    functions = {"Q": "IQ"}
    stages.inverter("Q", "s", drive)
    if both:
        stages.inverter("QN", "sn", drive)
        functions["QN"] = "IQN"
    return _flipflop(name, stages, functions, drive)


def flipflop_pass(name: str, drive: float, both: bool = True) -> Cell:
    """Conventional transmission-gate master-slave flip-flop with two local clock inverters."""
    small = storage(drive)
    size, stacked = widths(small), widths(small, 2, 2)
    stages = Stages().inverter("ckn", "CK", small).inverter("ckb", "ckn", small)
    stages.tristate("m", "D", "ckn", "ckb", stacked).inverter("mn", "m", small)
    stages.tristate("m", "mn", "ckb", "ckn", Widths(0.09, 0.09))
    stages.pass_gate("s", "mn", "ckb", "ckn", size).inverter("sn", "s", small)
    stages.tristate("s", "sn", "ckn", "ckb", Widths(0.09, 0.09))
    functions = {"Q": "IQ"}
    stages.inverter("Q", "sn", drive)
    if both:
        stages.inverter("QN", "s", drive)
        functions["QN"] = "IQN"
    return _flipflop(name, stages, functions, drive)


def _flipflop_q(name: str, drive: float) -> Cell:
    return flipflop_single_phase(name, drive, both=False)


def _latch_high(name: str, drive: float) -> Cell:
    """Latch, transparent while G is high."""
    stages = Stages().inverter("dn", "D", storage(drive))
    _high_pair(stages, "D", "dn", "G", storage(drive))
    return Cell(
        name,
        ("D", "G"),
        {"Q": "IQ"},
        stages.inverter("Q", "s", drive).network(),
        drive,
        kind="latch",
        clock="G",
        data="D",
        preamble=("G", "G"),
    )


def _clock_gate(name: str, drive: float) -> Cell:
    """Latch that is transparent while the clock is low, then AND with the clock."""
    stages = Stages().inverter("en", "E", storage(1))
    _low_pair(stages, "E", "en", "CK", storage(1))
    stages.gate("gn", "CK & mn", widths(inner(drive), 2, 1)).inverter("GCK", "gn", drive)
    return Cell(
        name,
        ("E", "CK"),
        {"GCK": "(CK & IQ)"},
        stages.network(),
        drive,
        kind="clockgate",
        clock="CK",
        data="E",
        preamble=("CK", "CK"),
    )


def _tie(name: str, drive: float) -> Cell:
    """Constant: a transistor held on by a diode-connected one, so no gate touches a rail."""
    high = name.startswith("TIEHI")
    stages = Stages()
    if high:
        stages.fet("n", "g", "g", GROUND, widths(drive)).fet("p", "Z", "g", SUPPLY, widths(drive))
    else:
        stages.fet("p", "g", "g", SUPPLY, widths(drive)).fet("n", "Z", "g", GROUND, widths(drive))
    return Cell(name, (), {"Z": "1" if high else "0"}, stages.network(), drive, kind="tie")


Maker = Callable[[str, float], Cell]
_FEW = ("XL", "X1", "X2")
_MANY = ("XS", *_FEW)
_SOME = (*_FEW, "X4")
_ALL = ("XS", *_SOME, "X8", "X16")

CATALOGUE: tuple[tuple[str, Maker, tuple[str, ...]], ...] = (
    ("INV", _simple("INV", "A", "!A", 1, 1), _ALL),
    ("BUF", _buffered("A", ("A",), "A", 1, 1), _ALL),
    ("NAND2", _simple("NAND2", "A1 & A2", "!(A1 & A2)", 2, 1), ("XS", *_SOME)),
    ("NAND3", _simple("NAND3", "A1 & A2 & A3", "!(A1 & A2 & A3)", 3, 1), _FEW),
    ("NAND4", _simple("NAND4", "A1 & A2 & A3 & A4", "!(A1 & A2 & A3 & A4)", 4, 1), _FEW),
    ("NOR2", _simple("NOR2", "A1 | A2", "!(A1 | A2)", 1, 2), ("XS", *_SOME)),
    ("NOR3", _simple("NOR3", "A1 | A2 | A3", "!(A1 | A2 | A3)", 1, 3), _FEW),
    ("NOR4", _simple("NOR4", "A1 | A2 | A3 | A4", "!(A1 | A2 | A3 | A4)", 1, 4), _FEW),
    ("AND2", _buffered("A1 & A2", ("A1", "A2"), "(A1 & A2)", 2, 1), ("XS", *_SOME)),
    ("AND3", _buffered("A1 & A2 & A3", ("A1", "A2", "A3"), "(A1 & A2 & A3)", 3, 1), _FEW),
    ("OR2", _buffered("A1 | A2", ("A1", "A2"), "(A1 | A2)", 1, 2), _SOME),
    ("OR3", _buffered("A1 | A2 | A3", ("A1", "A2", "A3"), "(A1 | A2 | A3)", 1, 3), _FEW),
    ("AOI21", _simple("AOI21", "B1 & B2 | A", "!(A | (B1 & B2))", 2, 2), _MANY),
    ("AOI22", _simple("AOI22", "A1 & A2 | B1 & B2", "!((A1 & A2) | (B1 & B2))", 2, 2), _MANY),
    ("OAI21", _simple("OAI21", "(B1 | B2) & A", "!(A & (B1 | B2))", 2, 2), _MANY),
    ("OAI22", _simple("OAI22", "(A1 | A2) & (B1 | B2)", "!((A1 | A2) & (B1 | B2))", 2, 2), _MANY),
    ("XOR2", _xor, _MANY),
    ("XNOR2", _xnor, _MANY),
    ("MUX2", _mux, _MANY),
    ("HA", _half_adder, _MANY),
    ("FA", full_adder_mirror, _MANY),
    ("FAI", inverting_full_adder, ("XS", "XL", "X1")),
    ("DFFQ", _flipflop_q, _FEW),
    ("DFF", flipflop_single_phase, _FEW),
    ("DLH", _latch_high, _FEW),
    ("CLKGATE", _clock_gate, ("X1", "X2", "X4", "X8")),
    ("TIEHI", _tie, ("X1",)),
    ("TIELO", _tie, ("X1",)),
)


@cache
def library() -> dict[str, Cell]:
    """All cells by name, in catalogue order."""
    made = {}
    for base, make, drives in CATALOGUE:
        for drive in drives:
            made[f"{base}_{drive}"] = make(f"{base}_{drive}", DRIVE_NAMES[drive])
    return made
