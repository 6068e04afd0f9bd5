"""The reference gate-level simulator: event-driven, with Liberty delays and energies.

It checks the library against SPICE on small circuits, and the compiled simulator of whole engines
(`synth.gatesim`). Delays are inertial; every arc and state has its own.
"""

import heapq
import itertools
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from synth.library.cells import library
from synth.library.errors import LibraryError
from synth.library.technology import TECHNOLOGY
from synth.library.walk import State, TransitionGraph


class Instance(NamedTuple):
    """A placed cell: pin to net."""

    name: str
    cell: str
    pins: dict[str, str]


class Toggle(NamedTuple):
    """An input takes a value at a time in ps."""

    time_ps: float
    pin: str
    value: int


@dataclass(frozen=True)
class Lookup:
    """A table over input transition (ns) and, if it has a second axis, load (fF)."""

    slews_ns: tuple[float, ...]
    loads_ff: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]

    def at(self, slew_ns: float, load_ff: float) -> float:
        """Bilinear interpolation, linear extrapolation outside."""
        i, u = _place(self.slews_ns, slew_ns)
        if not self.loads_ff:
            line = self.rows[0]
            return line[i] + u * (line[i + 1] - line[i])
        j, v = _place(self.loads_ff, load_ff)
        low, high = self.rows[i], self.rows[i + 1]
        first = low[j] + v * (low[j + 1] - low[j])
        second = high[j] + v * (high[j + 1] - high[j])
        return first + u * (second - first)


def _place(axis: Sequence[float], value: float) -> tuple[int, float]:
    i = min(max(bisect_right(axis, value) - 1, 0), len(axis) - 2)
    return i, (value - axis[i]) / (axis[i + 1] - axis[i])


@dataclass(frozen=True)
class Arc:
    """A timing or internal_power group: its pin, related pin, condition and tables."""

    pin: str
    related: str
    when: dict[str, int]
    sense: str
    tables: dict[str, Lookup]

    def holds(self, values: dict[str, int]) -> bool:
        """Whether the `when` condition is true."""
        return all(values[p] == v for p, v in self.when.items())


@dataclass(frozen=True)
class LibertyCell:
    """The part of a Liberty cell that the simulation needs."""

    capacitance_ff: dict[str, float]
    leakage_nw: float
    timing: tuple[Arc, ...]
    power: tuple[Arc, ...]


class LibertyFile:
    """Reads the Liberty files of `liberty_writer`: a regular layout, one attribute a line."""

    def __init__(self, cells: dict[str, LibertyCell]) -> None:
        self.cells = cells

    @staticmethod
    def read(path: Path) -> "LibertyFile":
        """Parse a file.

        Raises
        ------
        LibraryError
            it cannot be read.
        """
        try:
            text = path.read_text()
        except OSError as error:
            raise LibraryError(
                f"cannot read {path}: {error.strerror}; run `make library`"
            ) from error
        cells = re.findall(r"^  cell \((\w+)\) \{\n(.*?)^  \}$", text, re.M | re.S)
        return LibertyFile({name: _cell(body) for name, body in cells})


def _cell(body: str) -> LibertyCell:
    pins = re.findall(r"^    pin \((\w+)\) \{\n(.*?)^    \}$", body, re.M | re.S)
    caps: dict[str, float] = {}
    timing: list[Arc] = []
    power: list[Arc] = []
    for pin, text in pins:
        if found := re.search(r"^      capacitance : (\S+);", text, re.M):
            caps[pin] = float(found[1])
        for kind, group in re.findall(
            r"^      (timing|internal_power) \(\) \{\n(.*?)^      \}$", text, re.M | re.S
        ):
            (timing if kind == "timing" else power).append(_arc(pin, group))
    leakage = re.search(r"cell_leakage_power : (\S+);", body)
    return LibertyCell(caps, float(leakage[1]) if leakage else 0.0, tuple(timing), tuple(power))


def _arc(pin: str, text: str) -> Arc:
    attributes = dict(re.findall(r'^        (\w+) : "?(.*?)"?;$', text, re.M))
    literals = [s.strip() for s in attributes.get("when", "").split("&") if s.strip()]
    when = {s.lstrip("!"): int(not s.startswith("!")) for s in literals}
    tables = re.findall(r"^        (\w+) \(\w+\) \{\n(.*?)^        \}$", text, re.M | re.S)
    sense = attributes.get("timing_sense", "")
    return Arc(
        pin,
        attributes.get("related_pin", ""),
        when,
        sense,
        {name: _lookup(table) for name, table in tables},
    )


def _lookup(text: str) -> Lookup:
    def numbers(line: str) -> tuple[float, ...]:
        return tuple(float(x) for x in line.split(","))

    axes = {n: numbers(v) for n, v in re.findall(r'(index_\d) \("(.*?)"\)', text)}
    values = re.search(r"values \((.*)\)", text)
    rows = re.findall(r'"(.*?)"', values[1]) if values else []
    return Lookup(axes["index_1"], axes.get("index_2", ()), tuple(numbers(r) for r in rows))


_OPPOSITE = {True: "negative_unate", False: "positive_unate"}


@cache
def _graph(cell: str) -> TransitionGraph:
    return TransitionGraph(library()[cell])


@dataclass
class _Placed:
    """An instance during simulation: the state that its inputs determine, before output delays."""

    instance: Instance
    cell: LibertyCell
    graph: TransitionGraph
    state: State


class GateSimulator:
    """Event-driven simulation of a mapped netlist; all inputs and registers start at zero."""

    def __init__(
        self,
        liberty: LibertyFile,
        instances: Sequence[Instance],
        outputs: Sequence[str],
        output_load_ff: float,
    ) -> None:
        self.placed = [
            _Placed(i, liberty.cells[i.cell], _graph(i.cell), _graph(i.cell).start)
            for i in instances
        ]
        self.readers: dict[str, list[tuple[_Placed, str]]] = defaultdict(list)
        for p in self.placed:
            for pin in p.graph.cell.inputs:
                self.readers[p.instance.pins[pin]].append((p, pin))
        self.loads = self._loads(outputs, output_load_ff)
        self.values: dict[str, int] = {}
        self.toggles: Counter[str] = Counter()
        self.energy_fj = 0.0
        self._queue: list[tuple[float, int, str, int, float, float]] = []
        self._order = itertools.count()
        self._latest: dict[str, int] = {}
        self._settle()

    def _loads(self, outputs: Sequence[str], output_load_ff: float) -> dict[str, float]:
        loads: dict[str, float] = defaultdict(float)
        for net, readers in self.readers.items():
            loads[net] = sum(p.cell.capacitance_ff[pin] for p, pin in readers)
        for net in outputs:
            loads[net] += output_load_ff
        return loads

    def leakage_nw(self) -> float:
        """Mean leakage of all cells."""
        return sum(p.cell.leakage_nw for p in self.placed)

    def run(self, toggles: Sequence[Toggle], slew_ps: float) -> float:
        """Apply the toggles; return the energy of cells and their loads in fJ."""
        for t in toggles:
            self._schedule(t.time_ps, t.pin, t.value, slew_ps / 1000, 0.0)
        while self._queue:
            time, order, net, value, slew_ns, energy = heapq.heappop(self._queue)
            if self._latest.get(net, order) != order or self.values.get(net, 0) == value:
                continue  # replaced by a later event of its driver
            self.values[net] = value
            self.toggles[net] += 1
            self.energy_fj += energy
            for placed, pin in self.readers[net]:
                self._react(placed, pin, time, slew_ns)
        return self.energy_fj

    def _settle(self) -> None:
        """Settle every cell with all inputs low; the energy is not counted."""
        changed = True
        while changed:
            changed = False
            for p in self.placed:
                pins = p.graph.cell.pins
                for pin in p.graph.cell.inputs:
                    wanted = self.values.get(p.instance.pins[pin], 0)
                    if p.state[pins.index(pin)] != wanted:
                        p.state = p.graph.next[p.state, pin]
                for pin, value in zip(pins, p.state, strict=True):
                    net = p.instance.pins[pin]
                    if pin in p.graph.cell.outputs and self.values.get(net, 0) != value:
                        self.values[net], changed = value, True

    def _schedule(self, time: float, net: str, value: int, slew: float, energy: float) -> None:
        heapq.heappush(self._queue, (time, next(self._order), net, value, slew, energy))

    def _react(self, placed: _Placed, pin: str, time: float, slew_ns: float) -> None:
        graph, before = placed.graph, placed.state
        after = graph.next[before, pin]
        placed.state = after
        pins = graph.cell.pins
        old, new = dict(zip(pins, before, strict=True)), dict(zip(pins, after, strict=True))
        changed = [o for o in graph.cell.outputs if old[o] != new[o]]
        for output in changed:
            self._drive(placed, pin, output, old, new, time, slew_ns)
        if not changed:
            word = "rise_power" if new[pin] else "fall_power"
            self.energy_fj += _hidden(placed.cell, pin, old, word, slew_ns)

    def _drive(
        self,
        placed: _Placed,
        pin: str,
        output: str,
        old: dict[str, int],
        new: dict[str, int],
        time: float,
        slew_ns: float,
    ) -> None:
        net, rises = placed.instance.pins[output], bool(new[output])
        load, word = self.loads[net], "rise" if rises else "fall"
        timing = _find(placed.cell.timing, output, pin, old, f"cell_{word}", rises == new[pin])
        delay_ps = 1000 * timing[f"cell_{word}"].at(slew_ns, load)
        transition = timing[f"{word}_transition"].at(slew_ns, load)
        power = _find(placed.cell.power, output, pin, old, f"{word}_power", None)
        energy = power[f"{word}_power"].at(slew_ns, load)
        energy += rises * load * TECHNOLOGY.vdd_v**2
        order = next(self._order)
        self._latest[net] = order  # it replaces an earlier edge that is still pending
        moment = (time + max(delay_ps, 0.0), order, net, int(rises), transition, energy)
        heapq.heappush(self._queue, moment)


def _find(
    arcs: Sequence[Arc],
    output: str,
    pin: str,
    values: dict[str, int],
    table: str,
    positive: bool | None,
) -> dict[str, Lookup]:
    for arc in arcs:
        if arc.pin == output and arc.related == pin and table in arc.tables and arc.holds(values):
            if positive is not None and arc.sense == _OPPOSITE[positive]:
                continue
            return arc.tables
    raise LibraryError(f"no {table} table for {pin} to {output} in {values}; remake the library")


def _hidden(cell: LibertyCell, pin: str, values: dict[str, int], word: str, slew: float) -> float:
    return sum(
        a.tables[word].at(slew, 0.0)
        for a in cell.power
        if a.pin == pin and not a.related and word in a.tables and a.holds(values)
    )
