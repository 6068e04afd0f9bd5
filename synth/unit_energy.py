"""Energies of the units that a row's results pass, one by one.

    python -m synth.unit_energy

These are the activation function unit, narrow copies and the queue of results, mapped and simulated
as one unit on sums of one distribution, to compare changes of them. Prices are found on a whole
engine (`synth.engine_prices`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from qcnpe.rtl.afu import NEURON_LAYOUT, results_layout
from qcnpe.rtl.requantize import copies_layout, wanted_layout
from qcnpe.spec.activation import Function, activate, table_knots
from qcnpe.spec.commands import SHIFT_OFFSET
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.fixed import round_shift, saturate
from synth.errors import SynthesisError
from synth.flow import own_cells
from synth.gatesim import Circuit
from synth.mapping import LibertyCells
from synth.measure import cycle_energy, map_leaf
from synth.row import ResultRow
from synth.stimulus import PERIOD_PS, RESET_CYCLES, packed, stimulus
from synth.timing import path_ns

CYCLES = 256
"""Busy cycles of each measurement."""

SHIFT = 15
"""Right shift of the accumulators in the measurement of the activation function unit (AFU)."""

_BIAS = 100

_WAITING = 8
"""Results that wait in the queue in the measurement: more than are on their way in an AFU."""

_SPREAD = 4000.0
"""Standard deviation of 16-bit results: two of the table's 13 fraction bits, as after training."""

Cycles = Sequence[Mapping[str, int]]


@dataclass(frozen=True)
class UnitEnergies:
    """Measures the units of an engine.

    Attributes
    ----------
    cells : library
    config : the engine
    seed : of the operands
    """

    cells: LibertyCells
    config: EngineConfig = field(default_factory=EngineConfig)
    seed: int = 1

    @cached_property
    def _result_row(self) -> Circuit:
        return map_leaf(ResultRow(self.config), self.cells)

    def afu_fj(self) -> dict[Function, float]:
        """Energy of one sum brought to 16 bits, by function, without its copies; all are checked.

        The counter of the queue is included, its slices are not.
        """
        return {function: self._row_fj(function) for function in Function}

    def maximum_fj(self) -> float:
        """Energy of a sum that is compared with that of the next row, in windows of two rows."""
        rows = sum(self._row_fj(Function.RELU, place=place, pool=1) for place in range(2))
        return rows - self._row_fj(Function.RELU)

    def field_fj(self) -> dict[int, float]:
        """By width, energy of a wanted result: narrowed below 16 bits, and through its queue."""
        least = self._row_fj(Function.RELU)
        return {
            width: self._row_fj(Function.RELU, wanted=_field(width)) - least
            for width in self.config.precisions
        }

    def idle_row_fj(self) -> float:
        """Energy of a row's units in a cycle without results."""
        return _busy_fj(self._result_row, [], [{}] * CYCLES)

    def row_um2(self) -> float:
        """Area of a row's units: AFU, copies, queue."""
        placed = self._result_row.netlist.placed
        return sum(self.cells.area_um2(each.cell) for each in placed)

    def row_path_ns(self) -> float:
        """Longest path of a row's units."""
        return path_ns(self._result_row)

    def _row_fj(
        self, function: Function, *, wanted: str | None = None, place: int = 0, pool: int = 0
    ) -> float:
        """Energy of a sum in its row, above idle; results wait some cycles in the queue."""
        tile = self._tile(function, wanted, pool)
        sums = self._accumulators()
        above = self._results()
        leaves = (place + 1) % (1 << pool) == 0
        work = [
            {
                **tile,
                "place": place,
                "valid": 1,
                "accumulator": total,
                "above": _word(above[number - _WAITING]) if place else 0,
                "neuron": self._neuron(first=number == 0),
                "pop": int(leaves and number >= _WAITING),
            }
            for number, total in enumerate(sums)
        ]
        before, busy = work[:_WAITING], work[_WAITING:]
        idle = [{"valid": 0, "pop": 0}] * len(busy)
        if wanted == _field(OPERAND_BITS):
            self._check_row(function, sums, before, busy)
        return _busy_fj(self._result_row, before, busy) - _busy_fj(self._result_row, before, idle)

    def _tile(self, function: Function, wanted: str | None, pool: int) -> Mapping[str, int]:
        """Inputs that a tile holds; one field of its results is wanted, or none."""
        fields = packed(wanted_layout(self.config), {wanted: 1} if wanted else {})
        narrow = self.config.narrow_precisions
        shifts = {f"shift_{width}": OPERAND_BITS - 2 - width for width in narrow}
        copies = packed(copies_layout(self.config), {"wanted": fields, "is_unsigned": 1, **shifts})
        members = {"function": int(function), "pool": pool, "copies": copies}
        knots = table_knots("tanh", self.config.table_segments).tolist()
        return {
            "tile": packed(results_layout(self.config), members),
            "oldest_wanted": fields,
            "knots": sum(_word(knot) << OPERAND_BITS * index for index, knot in enumerate(knots)),
        }

    def _neuron(self, *, first: bool) -> int:
        members = {"bias": _BIAS, "shift": SHIFT + SHIFT_OFFSET, "first": int(first)}
        return packed(NEURON_LAYOUT, members)

    def _results(self) -> list[int]:
        rng = np.random.default_rng(self.seed)
        values: list[int] = saturate(
            np.round(rng.normal(0, _SPREAD, CYCLES)).astype(np.int64), OPERAND_BITS
        ).tolist()
        return values

    def _accumulators(self) -> list[int]:
        mask = (1 << self.config.accumulator_bits) - 1
        rng = np.random.default_rng((self.seed, 7))
        low = rng.integers(0, 1 << SHIFT, CYCLES).tolist()
        pairs = zip(self._results(), low, strict=True)
        return [((value << SHIFT) + bits) & mask for value, bits in pairs]

    def _check_row(
        self, function: Function, accumulators: list[int], before: Cycles, busy: Cycles
    ) -> None:
        """The queue of the netlist shows the results, one a cycle from the first busy cycle on."""
        circuit = self._result_row
        begin = RESET_CYCLES + len(before)
        times = [(begin + index + 1) * PERIOD_PS - 1 for index in range(len(busy))]
        nets = circuit.netlist.ports["oldest"].nets[:OPERAND_BITS]
        drive = stimulus(circuit.netlist, [*before, *busy])
        seen = circuit.run(drive, times, nets).samples
        found = seen.astype(np.int64) @ (1 << np.arange(OPERAND_BITS))
        sums = np.array(accumulators[: len(times)])
        bits = self.config.accumulator_bits
        sums -= (sums >> (bits - 1)) << bits
        table = table_knots("tanh", self.config.table_segments)
        values = saturate(round_shift(sums, SHIFT) + _BIAS, OPERAND_BITS)
        if np.any(found != (activate(values, function, table) & 0xFFFF)):
            raise SynthesisError(f"the row's netlist computes a wrong {function.name.lower()}")


def _field(width: int) -> str:
    """Name of a field of a result lane."""
    return "result" if width == OPERAND_BITS else f"copy_{width}"


def _busy_fj(circuit: Circuit, before: Cycles, cycles: Cycles) -> float:
    """Mean energy of `cycles`, which follow the cycles `before`."""
    begin = (RESET_CYCLES + len(before)) * PERIOD_PS
    drive = stimulus(circuit.netlist, [*before, *cycles])
    return cycle_energy(circuit, circuit.run(drive, [begin], (), begin), len(cycles)).total_fj


def _word(value: int) -> int:
    return value & ((1 << OPERAND_BITS) - 1)


def main() -> None:
    """Print the energy of results, and area, idle energy and path of a row's units."""
    units = UnitEnergies(own_cells())
    found = {f"afu_{function.name.lower()}": fj for function, fj in units.afu_fj().items()}
    found["afu_maximum"] = units.maximum_fj()
    found |= {f"result_{width}b": fj for width, fj in units.field_fj().items()}
    for event, energy in found.items():
        print(f"{event:14} {energy:8,.0f} fJ")
    print(f"{'idle cycle':14} {units.idle_row_fj():8,.0f} fJ")
    print(f"{'area':14} {units.row_um2():8,.0f} um2")
    print(f"{'path':14} {units.row_path_ns():8.2f} ns")


if __name__ == "__main__":
    main()
