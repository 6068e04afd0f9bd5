"""Setup and hold times by bisection.

A trial moves the data pin at some distance from the active clock edge. It passes if the output
does what it does with ample distance: the same edge at most a tenth later, or no disturbance of
more than a tenth of the supply.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from synth.library.cells import Cell
from synth.library.errors import SimulationError
from synth.library.measure import (
    LONGEST_STEP_PS,
    STEP_PS,
    Condition,
    crossing_ps,
    instance,
    ramp_source,
)
from synth.library.spice import Array, run
from synth.library.technology import TECHNOLOGY

Relation = Literal["setup", "hold"]
# One clock pulse loads the old value, then the data may move, then the active edge comes.
PULSE_PS = (400.0, 1000.0)
READY_PS, ACTIVE_PS, STOP_PS = 1500.0, 2700.0, 3900.0
AMPLE_PS, RESOLUTION_PS = 800.0, 1.0
SLOWER, DISTURBED = 1.1, 0.1


@dataclass(frozen=True)
class Constraint:
    """What is asked: relation, direction of the data edge, transition times and load."""

    relation: Relation
    data_rises: bool
    data_slew_ps: float
    clock_slew_ps: float
    load_ff: float


@dataclass(frozen=True)
class Outcome:
    """Output of a trial: its edge (ps, None without one), settled level and largest excursion."""

    edge_ps: float | None
    settled: int
    excursion: float


def constraint_ps(cell: Cell, asked: Constraint) -> float:
    """Setup or hold time in ps, the data edge's distance before (setup) or after the clock's.

    Raises
    ------
    SimulationError
        even an ample distance does not work.
    """
    reference = _trial(cell, asked, AMPLE_PS)
    low, high = _bracket(cell, asked, reference)
    while high - low > RESOLUTION_PS:
        middle = (low + high) / 2
        if _passes(reference, _trial(cell, asked, middle)):
            high = middle
        else:
            low = middle
    return high


def _bracket(cell: Cell, asked: Constraint, reference: Outcome) -> tuple[float, float]:
    """Neighbouring distances of which the lower fails; most limits lie within 128 ps."""
    guesses = (AMPLE_PS, 128.0, 64.0, 0.0, -64.0, -128.0, -256.0)
    for high, low in pairwise(guesses):
        if not _passes(reference, _trial(cell, asked, low)):
            return low, high
    raise SimulationError(f"{cell.name}: no {asked.relation} limit found for {asked}")


def _passes(reference: Outcome, trial: Outcome) -> bool:
    if trial.settled != reference.settled:
        return False
    if reference.edge_ps is None:
        return trial.excursion < DISTURBED
    return trial.edge_ps is not None and trial.edge_ps <= SLOWER * reference.edge_ps


def _trial(cell: Cell, asked: Constraint, distance_ps: float) -> Outcome:
    sign = -1 if asked.relation == "setup" else 1
    moment = ACTIVE_PS + sign * distance_ps
    data_ramp = Condition(asked.data_slew_ps, asked.load_ff).ramp_ps
    clock_ramp = Condition(asked.clock_slew_ps, asked.load_ff).ramp_ps
    before, toggles = _data_history(cell, asked, moment)
    clock = [PULSE_PS[0], ACTIVE_PS] if cell.kind == "latch" else [*PULSE_PS, ACTIVE_PS]
    output = cell.outputs[0]
    body = [
        instance(cell, asked.load_ff),
        ramp_source(cell.data, toggles, before, data_ramp),
        ramp_source(cell.clock, clock, 0, clock_ramp),
    ]
    analysis = f"tran {STEP_PS}p {STOP_PS}p 0 {LONGEST_STEP_PS}p"
    waves = run("\n".join(body), analysis, [f"v({output})"])
    # A latch's edge counts from its data, the others' from the clock.
    origin = moment if cell.kind == "latch" else ACTIVE_PS
    return _outcome(waves.time_s * 1e12, waves.voltage(output), origin)


def _data_history(cell: Cell, asked: Constraint, moment: float) -> tuple[int, list[float]]:
    """First data value and toggles that bring a flip-flop to the state where its edge shows."""
    before = int(not asked.data_rises)
    if cell.kind == "flipflop" and asked.relation == "hold":
        return 1 - before, [READY_PS, moment]
    return before, [moment]


def _outcome(time: Array, signal: Array, origin_ps: float) -> Outcome:
    tail = time > READY_PS
    time, signal = time[tail], signal[tail] / TECHNOLOGY.vdd_v
    first, settled = round(float(signal[0])), round(float(signal[-1]))
    excursion = float(np.max(np.abs(signal - first)))
    edge = crossing_ps(time, signal, 0.5, settled > first) - origin_ps if settled != first else None
    return Outcome(edge, settled, excursion)
