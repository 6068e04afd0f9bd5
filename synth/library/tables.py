"""What the characterisation knows of a cell, ready to be written or cached."""

from dataclasses import dataclass, field

Table = list[list[float]]


@dataclass
class TimingArc:
    """Delay and transition tables (ns; rows input transition, columns load) of one arc."""

    output: str
    pin: str
    when: str
    sense: str
    cell_rise: Table | None = None
    cell_fall: Table | None = None
    rise_transition: Table | None = None
    fall_transition: Table | None = None


@dataclass
class PowerArc:
    """Energy (fJ) of an output edge caused by one pin; rows input transition, columns load."""

    output: str
    pin: str
    when: str
    rise: Table | None = None
    fall: Table | None = None


@dataclass
class HiddenPower:
    """Energy (fJ) of an input toggle that moves no output; over input transition."""

    pin: str
    when: str
    rise: list[float] | None = None
    fall: list[float] | None = None


@dataclass
class ConstraintArc:
    """Setup or hold tables (ns; rows data transition, columns clock transition)."""

    relation: str
    rise: Table = field(default_factory=list)
    fall: Table = field(default_factory=list)


@dataclass
class CellTables:
    """All figures of one cell."""

    name: str
    slews_ps: list[float]
    loads_ff: list[float]
    capacitance_ff: dict[str, tuple[float, float]]
    leakage_nw: dict[str, float]
    timing: list[TimingArc] = field(default_factory=list)
    power: list[PowerArc] = field(default_factory=list)
    hidden: list[HiddenPower] = field(default_factory=list)
    constraints: list[ConstraintArc] = field(default_factory=list)
