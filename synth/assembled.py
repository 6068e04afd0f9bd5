"""Energies of an assembly's units, from a simulation of its netlist."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synth.assembly import Assembly
from synth.gatesim import Activity, Circuit
from synth.liberty.cells import CellKind
from synth.liberty.models import CellModel
from synth.measure import CLOCK_TREE
from synth.stimulus import PERIOD_PS
from synth.timing import path_ns


@dataclass(frozen=True)
class AssembledCircuit:
    """A whole netlist, of which each cell belongs to a unit with energies of its own.

    Attributes
    ----------
    assembly : the netlist
    circuit : the same with delays and energies
    clocks_ff : load of each module on the clock, without the modules inside it
    units : names of the units
    unit_of : the unit to which an instance belongs, given the names of instances to it
    """

    assembly: Assembly
    circuit: Circuit
    clocks_ff: Mapping[str, float]
    units: Sequence[str]
    unit_of: Callable[[tuple[str, ...]], str]

    @cached_property
    def path_ns(self) -> float:
        """The longest path, with setup."""
        return path_ns(self.circuit)

    @property
    def period_ps(self) -> float:
        """Clock of the simulation: slower than that of the prices if the longest path is longer.

        The energy of a toggle does not depend on it; leakage is that of the prices' clock.
        """
        return max(PERIOD_PS, 1000 * self.path_ns)

    def energies_fj(self, activity: Activity, cycles: int) -> dict[str, float]:
        """Energy of each unit, including leakage and the clock tree."""
        (clock,) = self.circuit.netlist.ports["clk"].nets
        swing_fj = float(activity.toggles[clock]) / 2 * self.circuit.supply_v**2
        clocks = swing_fj * self._clock_loads_ff + self._by_place(
            activity.energy_fj * self._is_gate
        )
        others = self._by_place(activity.energy_fj * ~self._is_gate)
        leakage = self._by_place(self._leakage_nw) * PERIOD_PS * 1e-6 * cycles
        of_places = (1 + CLOCK_TREE) * clocks + others + leakage
        total = np.bincount(self._unit_of_places, of_places, len(self.units))
        return dict(zip(self.units, total.tolist(), strict=True))

    def _by_place(self, of_cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the cells of each place."""
        sums = np.bincount(self._places, of_cells, len(self.assembly.places))
        return sums.astype(np.float64)

    @cached_property
    def _unit_of_places(self) -> NDArray[np.int64]:
        """Number of the unit of each place."""
        places = self.assembly.places
        return np.array([self.units.index(self.unit_of(place.path)) for place in places])

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Number of the place of each placed cell."""
        sizes = [len(self.assembly.units[place.unit].placed) for place in self.assembly.places]
        return np.repeat(np.arange(len(sizes)), sizes)

    @cached_property
    def _is_gate(self) -> NDArray[np.bool_]:
        return np.array([model.kind is CellKind.CLOCK_GATE for model in self._models()])

    @cached_property
    def _leakage_nw(self) -> NDArray[np.float64]:
        return np.array([model.leakage_nw for model in self._models()])

    def _models(self) -> Iterator[CellModel]:
        return (self.circuit.models[placed.cell] for placed in self.circuit.netlist.placed)

    @cached_property
    def _clock_loads_ff(self) -> NDArray[np.float64]:
        """Load of each place on the clock."""
        return np.array([self.clocks_ff.get(place.unit, 0.0) for place in self.assembly.places])
