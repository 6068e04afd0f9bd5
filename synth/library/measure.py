"""Measures delays, transitions, energies and leakage of a cell by circuit simulation."""

from dataclasses import dataclass

import numpy as np

from synth.library.cells import Cell
from synth.library.errors import SimulationError
from synth.library.network import GROUND, SUPPLY
from synth.library.spice import Array, Waveforms, run
from synth.library.technology import TECHNOLOGY
from synth.library.walk import InputToggle, TransitionGraph

# Thresholds as fractions of the supply: delays at half, transitions from a fifth to four fifths.
HALF, LOW, HIGH = 0.5, 0.2, 0.8
STEP_PS, LONGEST_STEP_PS = 1.0, 25.0
START_PS, SETTLE_EMPTY_PS, SETTLE_FULL_PS = 300.0, 400.0, 2000.0


@dataclass(frozen=True)
class Condition:
    """One point of the tables: input transition time and output load."""

    slew_ps: float
    load_ff: float
    fullness: float = 1.0

    @property
    def ramp_ps(self) -> float:
        """Rail-to-rail time of the input ramp."""
        return self.slew_ps / (HIGH - LOW)

    @property
    def period_ps(self) -> float:
        """Time from one input toggle to the next: the ramp, then settling by the load."""
        return round(self.ramp_ps + SETTLE_EMPTY_PS + SETTLE_FULL_PS * self.fullness)


@dataclass(frozen=True)
class Edge:
    """What one output did after an input toggle."""

    delay_ps: float
    transition_ps: float


@dataclass(frozen=True)
class Event:
    """One input toggle as measured: energy from the supply without load and leakage."""

    step: InputToggle
    energy_fj: float
    charge_fc: float
    edges: dict[str, Edge]


def ramp_source(pin: str, toggles_ps: list[float], start: int, ramp_ps: float) -> str:
    """A piecewise-linear source that inverts its value at each of the given times."""
    level, points = start, [f"0 {start * TECHNOLOGY.vdd_v}"]
    for time in toggles_ps:
        points.append(f"{time - ramp_ps / 2:.4f}p {level * TECHNOLOGY.vdd_v}")
        level = 1 - level
        points.append(f"{time + ramp_ps / 2:.4f}p {level * TECHNOLOGY.vdd_v}")
    return f"V{pin} {pin} 0 pwl({' '.join(points)})"


def instance(cell: Cell, load_ff: float) -> str:
    """The cell's subcircuit, one instance named by its own pins, and its loads."""
    lines = [cell.spice(), f"X1 {' '.join(cell.pins)} {SUPPLY} {GROUND} {cell.name}"]
    lines += [f"CL{o} {o} 0 {load_ff:.6g}f" for o in cell.outputs]
    return "\n".join(lines)


def crossing_ps(time: Array, signal: Array, level: float, rising: bool) -> float:
    """Last crossing of a level in the given direction, interpolated; times in ps."""
    below, above = (signal[:-1], signal[1:]) if rising else (signal[1:], signal[:-1])
    found = np.flatnonzero((below < level) & (above >= level))
    if not len(found):
        raise SimulationError(f"an output never crosses {level:.2f} V")
    i = found[-1]
    part = (level - signal[i]) / (signal[i + 1] - signal[i])
    return float(time[i] + part * (time[i + 1] - time[i]))


def output_edge(time: Array, signal: Array, toggle_ps: float, rising: bool) -> Edge:
    """Delay from the input's midpoint and transition time of one output edge."""
    vdd = TECHNOLOGY.vdd_v
    first, last = (LOW, HIGH) if rising else (HIGH, LOW)
    begin = crossing_ps(time, signal, first * vdd, rising)
    middle = crossing_ps(time, signal, HALF * vdd, rising)
    end = crossing_ps(time, signal, last * vdd, rising)
    return Edge(middle - toggle_ps, end - begin)


def leakage(cell: Cell, graph: TransitionGraph) -> dict[tuple[int, ...], tuple[float, float]]:
    """Static (supply current in nA, power in nW with the inputs' gate currents) of each state."""
    lines, save = [cell.spice()], []
    for i, (_state, nets) in enumerate(graph.nets.items()):
        pins = [f"{p}{i}" for p in cell.pins]
        lines.append(f"Vrail{i} rail{i} 0 {TECHNOLOGY.vdd_v}")
        lines += [f"V{p}{i} {p}{i} 0 {TECHNOLOGY.vdd_v * int(nets[p] or 0)}" for p in cell.inputs]
        lines.append(f"X{i} {' '.join(pins)} rail{i} {GROUND} {cell.name}")
        lines += _node_hints(cell, nets, i)
        save += [f"i(Vrail{i})", *(f"i(V{p}{i})" for p in cell.inputs)]
    waves = run("\n".join(lines), "op", save)
    return {s: _static(cell, s, i, waves) for i, s in enumerate(graph.nets)}


def _node_hints(cell: Cell, nets: dict[str, int | None], index: int) -> list[str]:
    hints = []
    for net, value in nets.items():
        if value is not None and net not in cell.inputs:
            name = f"{net}{index}" if net in cell.outputs else f"x{index}.{net.lower()}"
            hints.append(f".nodeset v({name})={value * TECHNOLOGY.vdd_v}")
    return hints


def _static(
    cell: Cell, state: tuple[int, ...], index: int, waves: Waveforms
) -> tuple[float, float]:
    supply = float(waves.supplied(f"Vrail{index}")[0])
    power = supply * TECHNOLOGY.vdd_v
    for pin, value in zip(cell.pins, state, strict=True):
        if pin in cell.inputs:
            power += value * TECHNOLOGY.vdd_v * float(waves.supplied(f"V{pin}{index}")[0])
    return supply * 1e9, power * 1e9


class WalkBench:
    """Simulates one walk of a cell at one condition and measures every step."""

    def __init__(self, cell: Cell, graph: TransitionGraph, leaks_na: dict[tuple[int, ...], float]):
        self.cell, self.graph, self.leaks_na = cell, graph, leaks_na

    def measure(self, walk: list[InputToggle], at: Condition) -> list[Event]:
        """Run the walk (after the cell's preamble) and return an event for each step."""
        pins = [*self.cell.preamble, *(s.pin for s in walk)]
        times = [START_PS + at.ramp_ps / 2 + k * at.period_ps for k in range(len(pins))]
        waves = self._simulate(pins, times, at)
        skip = len(self.cell.preamble)
        return [self._event(s, t, waves, at) for s, t in zip(walk, times[skip:], strict=True)]

    def _simulate(self, pins: list[str], times: list[float], at: Condition) -> Waveforms:
        body = [instance(self.cell, at.load_ff)]
        for pin in self.cell.inputs:
            toggles = [t for p, t in zip(pins, times, strict=True) if p == pin]
            body.append(ramp_source(pin, toggles, 0, at.ramp_ps))
        save = [f"v({p})" for p in self.cell.pins] + [f"i(V{SUPPLY})"]
        save += [f"i(V{p})" for p in self.cell.inputs]
        stop = times[-1] + at.period_ps
        return run("\n".join(body), f"tran {STEP_PS}p {stop}p 0 {LONGEST_STEP_PS}p", save)

    def _event(self, step: InputToggle, toggle: float, waves: Waveforms, at: Condition) -> Event:
        begin = toggle - at.ramp_ps / 2
        time = waves.time_s * 1e12
        # Exactly one step beyond either end, so that interpolation has both neighbours.
        window = slice(
            np.searchsorted(time, begin) - 1, np.searchsorted(time, begin + at.period_ps) + 1
        )
        new = dict(step.after)
        charge = _integral_fc(time[window], waves.supplied(f"V{SUPPLY}")[window], begin, at)
        leak = self.leaks_na[tuple(new.values())] * at.period_ps * 1e-6
        changed = step.changed(self.cell.outputs)
        loads = sum(at.load_ff * TECHNOLOGY.vdd_v for o in changed if new[o])
        edges = {
            o: output_edge(time[window], waves.voltage(o)[window], toggle, bool(new[o]))
            for o in changed
        }
        self._check_levels(step, waves, window)
        pin_charge = _integral_fc(time[window], waves.supplied(f"V{step.pin}")[window], begin, at)
        return Event(step, (charge - leak - loads) * TECHNOLOGY.vdd_v, abs(pin_charge), edges)

    def _check_levels(self, step: InputToggle, waves: Waveforms, window: slice) -> None:
        """The settled outputs must be what the switch-level simulation says."""
        for output in self.cell.outputs:
            level = waves.voltage(output)[window][-2] / TECHNOLOGY.vdd_v
            if abs(level - dict(step.after)[output]) > 0.05:
                raise SimulationError(
                    f"{self.cell.name}: {output} settles at {level:.2f} of the "
                    f"supply after {step.pin} in {dict(step.before)}"
                )


def _integral_fc(time_ps: Array, current_a: Array, begin: float, at: Condition) -> float:
    """Charge in fC over the window, its ends interpolated."""
    edges = np.array([begin, begin + at.period_ps])
    inside = (time_ps > edges[0]) & (time_ps < edges[1])
    time = np.concatenate([edges[:1], time_ps[inside], edges[1:]])
    current = np.interp(time, time_ps, current_a)
    return float(np.trapezoid(current, time)) * 1e3
