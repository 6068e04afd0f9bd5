"""Gate-level simulation of a mapped netlist: energies by cell and values of its ports.

Every placed cell has its own delay and energy for each input, state and edge, from the Liberty
tables at its load and its inputs' transitions. Delays are inertial: a pulse shorter than the delay
of a cell is suppressed and takes no energy. Where clock gates follow one another, they do not delay
the clock: the clock tree balances what they would add. The simulator is a C++ program, built once
in the user's cache folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from qcnpe.tools.process import run
from synth.annotate import Annotation, annotate, in_order, tied_inputs
from synth.connections import check_connections
from synth.errors import LibertyError, SynthesisError
from synth.liberty.cell_reader import MAX_OUTPUTS
from synth.liberty.cells import CellKind
from synth.liberty.library import Library
from synth.liberty.logic import MAX_INPUTS
from synth.liberty.models import CellModel, Tied
from synth.netlist import Netlist
from synth.programs import built
from synth.wires import Wires, committed_wires

_CELL = np.dtype(
    [
        ("inputs", "i4"),
        ("input_nets", "i4", MAX_INPUTS),
        ("output_nets", "i4", MAX_OUTPUTS),
        ("first_step", "i4"),
        ("state", "i4"),
    ]
)
_STEP = np.dtype(
    [
        ("after", "i4"),
        ("changed", "i4"),
        ("values", "i4"),
        ("hidden_fj", "f4"),
        ("delay_ps", "f4", MAX_OUTPUTS),
        ("energy_fj", "f4", MAX_OUTPUTS),
    ]
)
MAX_STEPS = 1 << 25
"""Largest number of input toggles in all states of all placed cells; each takes 50 bytes. An
activation function unit has 60,000."""

_LEAST_DELAY_PS = 0.1

_SETTLING_PASSES = 16

TOGGLE = np.dtype([("time_ps", "f8"), ("net", "i4"), ("value", "i4")])
"""A change of an input net; a stimulus is an array of changes in order of time."""


@dataclass(frozen=True)
class Activity:
    """Results of a simulation.

    Attributes
    ----------
    energy_fj : by placed cell, switching and internal, without leakage
    toggles : by net
    samples : (times, watched nets) values, of the whole simulation
    """

    energy_fj: NDArray[np.float64]
    toggles: NDArray[np.int64]
    samples: NDArray[np.uint8]


class Circuit:
    """A netlist with delays and energies, ready to be simulated.

    Parameters
    ----------
    netlist : flat, of library cells only
    library : the library to which it was mapped
    wires : default: those of the committed layout
    loads_ff : loads of all nets, by default those of a unit on its own
    """

    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        wires: Wires | None = None,
        loads_ff: Mapping[int, float] | None = None,
    ) -> None:
        self.netlist, self.supply_v = netlist, library.supply_v
        self.models = library.models(sorted({cell.cell for cell in netlist.placed}))
        check_connections(netlist, self.models)
        self._check_size()
        try:
            wires = wires or committed_wires()
            self.annotation = annotate(netlist, self.models, wires, loads_ff)
        except LibertyError as error:
            raise LibertyError(f"{library.where}: {error}") from error
        self.areas_um2 = np.array([library.area_um2(cell.cell) for cell in netlist.placed])
        self.ordered = in_order(netlist, self.models)
        self._values = self._settle()
        self._cells, self._steps = self._tables()

    def _check_size(self) -> None:
        models = (self.models[placed.cell] for placed in self.netlist.placed)
        steps = sum(model.states * len(model.inputs) for model in models)
        if steps > MAX_STEPS:
            raise SynthesisError(
                f"{self.netlist.name}: has {steps:,} cases of cells and toggles, more than"
                f" {MAX_STEPS:,}; simulate its units one by one"
            )

    @cached_property
    def is_balanced(self) -> bool:
        """Whether clock gates follow one another; the clock is then ideal."""
        gates = [
            placed
            for placed in self.netlist.placed
            if self.models[placed.cell].kind is CellKind.CLOCK_GATE
        ]
        gated = {gate.pins[pin] for gate in gates for pin in self.models[gate.cell].outputs}
        return any(gate.pins[self.models[gate.cell].clock] in gated for gate in gates)

    @property
    def leakage_nw(self) -> float:
        """Leakage of all cells."""
        return sum(self.models[cell.cell].leakage_nw for cell in self.netlist.placed)

    def run(
        self,
        stimulus: NDArray[np.void],
        samples_ps: Sequence[float],
        watched: Sequence[int],
        begin_ps: float = 0.0,
    ) -> Activity:
        """Simulate; all registers and inputs start at zero.

        Parameters
        ----------
        stimulus : array of `TOGGLE`
        samples_ps : times at which nets are read
        watched : the nets
        begin_ps : energies and toggles are counted from this time
        """
        (found,) = self.run_parts(stimulus, samples_ps, watched, [begin_ps])
        return found

    def run_parts(
        self,
        stimulus: NDArray[np.void],
        samples_ps: Sequence[float],
        watched: Sequence[int],
        begins_ps: Sequence[float],
    ) -> list[Activity]:
        """The same, with energies and toggles of several parts.

        Parameters
        ----------
        stimulus, samples_ps, watched : see `run`; the samples are those of all parts
        begins_ps : times at which the parts begin, rising; a part ends where the next one begins
        """
        nets, count = len(self._values), len(self.netlist.placed)
        parts = (
            self._cells,
            self._steps,
            self._values,
            stimulus.astype(TOGGLE),
            np.asarray(samples_ps, np.float64),
            np.asarray(watched, np.int32),
            np.asarray(begins_ps, np.float64),
        )
        with TemporaryDirectory(prefix="qcnpe-") as name:
            folder = Path(name)
            with (folder / "given").open("wb") as file:
                for part in parts:
                    file.write(np.int64(len(part)).tobytes() + part.tobytes())
            run("gate-level simulation", [simulator(), "given", "made"], folder)
            raw = (folder / "made").read_bytes()
        size = 8 * (count + nets)
        seen = np.frombuffer(raw, np.uint8, offset=size * len(begins_ps))
        samples = seen.reshape(len(samples_ps), len(watched))
        return [
            Activity(
                np.frombuffer(raw, np.float64, count, offset=size * part),
                np.frombuffer(raw, np.int64, nets, offset=size * part + 8 * count),
                samples,
            )
            for part in range(len(begins_ps))
        ]

    def _settle(self) -> NDArray[np.int32]:
        """Values of all nets after power-up, iterated where registers set or clear one another."""
        values = np.zeros(self.netlist.net_count, np.int32)
        values[1] = 1
        for _ in range(_SETTLING_PASSES):
            before = values.copy()
            self._pass_through(values)
            if np.array_equal(values, before):
                return values
        raise SynthesisError(
            f"{self.netlist.name}: registers that set and clear one another; correct the netlist"
        )

    def _pass_through(self, values: NDArray[np.int32]) -> None:
        for placed in self.ordered:
            model = self.models[placed.cell]
            pins = model.pins(self._state(placed.pins, model, values))
            for output in model.outputs:
                if output in placed.pins:
                    values[placed.pins[output]] = pins[output]

    def _state(self, pins: Mapping[str, int], model: CellModel, values: NDArray[np.int32]) -> int:
        return model.at_start(
            sum(int(values[pins[pin]]) << n for n, pin in enumerate(model.inputs))
        )

    def _tables(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """The simulator's cells, and their steps; cells in equal circumstances share them."""
        rows, firsts = [], {}
        blocks, first = [np.zeros(0, _STEP)], 0
        spare = len(self._values) - 1
        for placed in self.netlist.placed:
            model, pins = self.models[placed.cell], placed.pins
            around = _Around.of(model, pins, self.annotation)
            if (placed.cell, around) not in firsts:
                firsts[placed.cell, around] = first
                blocks.append(_steps(model, around, self.supply_v, is_balanced=self.is_balanced))
                first += len(blocks[-1])
            rows.append(
                (
                    len(model.inputs),
                    _filled([pins[pin] for pin in model.inputs], MAX_INPUTS),
                    _filled([pins.get(output, spare) for output in model.outputs], MAX_OUTPUTS),
                    firsts[placed.cell, around],
                    self._state(pins, model, self._values),
                )
            )
        return np.array(rows, _CELL), np.concatenate(blocks)


@dataclass(frozen=True)
class _Around:
    """All that the steps of a placed cell depend on.

    Attributes
    ----------
    tied : its constant inputs
    slews_ns : transition times of its inputs
    loads_ff : of its outputs; None where one is open
    """

    tied: Tied
    slews_ns: tuple[float, ...]
    loads_ff: tuple[float | None, ...]

    @classmethod
    def of(cls, model: CellModel, pins: Mapping[str, int], annotation: Annotation) -> "_Around":
        slews, loads = annotation.slews_ns, annotation.loads_ff
        return cls(
            tied_inputs(model, pins),
            tuple(slews[pins[pin]] for pin in model.inputs),
            tuple(loads[pins[out]] if out in pins else None for out in model.outputs),
        )


def _filled(nets: list[int], places: int) -> list[int]:
    return nets + [0] * (places - len(nets))


def _steps(
    model: CellModel, around: _Around, supply_v: float, *, is_balanced: bool
) -> NDArray[np.void]:
    """Steps of one placed cell, numbered state * inputs + input."""
    rows = []
    is_ideal = is_balanced and model.kind is CellKind.CLOCK_GATE
    for state in model.steps(around.tied):
        for slew, step in zip(around.slews_ns, state, strict=True):
            changed = values = 0
            delays, energies = [0.0] * MAX_OUTPUTS, [0.0] * MAX_OUTPUTS
            for drive in step.drives:
                place = model.outputs.index(drive.output)
                load = around.loads_ff[place]
                if load is None:
                    continue
                changed |= 1 << place
                values |= drive.value << place
                delay_ps = 0.0 if is_ideal else 1000 * drive.delay.at(slew, load)
                delays[place] = max(delay_ps, _LEAST_DELAY_PS)
                internal = sum(table.at(slew, load) for table in drive.power)
                energies[place] = internal + drive.value * load * supply_v**2
            hidden = sum(table.at(slew, 0.0) for table in step.hidden)
            rows.append((step.after, changed, values, hidden, delays, energies))
    return np.array(rows, _STEP)


@cache
def simulator() -> Path:
    """The simulator program; builds it if it does not exist.

    Raises
    ------
    ToolMissingError
        If there is no C++ compiler.
    ToolError
        If it cannot be built, or if another user could have written the existing one.
    """
    return built(Path(__file__).with_suffix(".cpp"))
