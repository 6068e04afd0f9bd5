"""Energies of the units around the neural compute units (NCUs).

These are the activation function units, narrow copies, queues and skew. Each unit is mapped and
simulated like an NCU. The energy of an event is the difference between a busy and an idle cycle;
clock and leakage of idle units are divided among the NCUs of the array, for each cycle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from qcnpe.rtl.afu import NEURON_LAYOUT, Afu, knot_write_layout
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.layouts import ACTIVATION_LANE
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.requantize import Requantize, copies_layout
from qcnpe.spec.activation import Function, activate, table_knots
from qcnpe.spec.commands import SHIFT_OFFSET
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.fixed import round_shift, saturate
from synth.errors import SynthesisError
from synth.gatesim import Circuit
from synth.mapping import LibertyCells
from synth.measure import cycle_energy, map_leaf, map_module
from synth.row import ComplementLane, ResolveRow, ReverseFields
from synth.stimulus import PERIOD_PS, RESET_CYCLES, packed, stimulus
from synth.units import Units

CYCLES = 256
"""Busy cycles of each measurement."""

SHIFT = 15
"""Right shift of the accumulators in the measurement of the activation function unit (AFU)."""

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

    def afu_fj(self) -> dict[Function, float]:
        """Energy of one result by function; the results are checked."""
        circuit = map_leaf(Afu(self.config), self.cells)
        idle = _busy_fj(circuit, self._knots(), [{"valid": 0}] * CYCLES)
        found = {}
        for function in Function:
            busy = self._accumulators(function)
            self._check_afu(circuit, function, busy)
            found[function] = _busy_fj(circuit, self._knots(), busy) - idle
        return found

    def requantize_fj(self) -> float:
        """Energy of one narrow copy of a result."""
        circuit = map_leaf(Requantize(self.config), self.cells)
        wanted = {f"wanted_{width}": 1 for width in self.config.narrow_precisions}
        shifts = {f"shift_{width}": 15 - width for width in self.config.narrow_precisions}
        copies = packed(copies_layout(self.config), {**wanted, **shifts})
        busy = [{"result": _word(value), "copies": copies} for value in self._results()]
        idle = [busy[-1]] * CYCLES
        pairs = len(self.config.narrow_precisions)
        return (_busy_fj(circuit, busy[:1], busy) - _busy_fj(circuit, busy[:1], idle)) / pairs

    def resolve_fj(self, breaks: tuple[int, ...]) -> float:
        """Energy of resolving the carries of one accumulator of a structural NCU."""
        circuit = map_leaf(ResolveRow(self.config, breaks), self.cells)
        mask = (1 << self.config.accumulator_bits) - 1
        rng = np.random.default_rng((self.seed, 9))
        carries = rng.integers(0, 1 << len(breaks), CYCLES).tolist()
        busy = [
            {"stored": ((value << SHIFT) & mask) | carry << self.config.accumulator_bits}
            for value, carry in zip(self._results(), carries, strict=True)
        ]
        return _busy_fj(circuit, [], busy) - _busy_fj(circuit, [], [{}] * CYCLES)

    def reverse_fj(self) -> float:
        """Energy of reversing the fields of one lane of weights."""
        return self._lane_fj(ReverseFields(self.config), mode=1)

    def complement_fj(self) -> float:
        """Energy of complementing one lane of activations."""
        return self._lane_fj(ComplementLane())

    def _lane_fj(self, leaf: Leaf, **fixed: int) -> float:
        circuit = map_leaf(leaf, self.cells)
        busy = [{"lane": _word(value), **fixed} for value in self._results()]
        return _busy_fj(circuit, [], busy) - _busy_fj(circuit, [], [{}] * CYCLES)

    def queue_word_fj(self) -> float:
        """Energy of writing a 16-bit word into the operand queue and reading it."""
        lanes = self.config.rows
        words = [self._lanes(lanes, seed) for seed in range(CYCLES)]
        return self._queue_fj(lanes, self.config.fifo_depth, words) / lanes

    def result_queue_fj(self) -> float:
        """Energy of writing a result into its row's queue and reading it."""
        words = [_word(value) for value in self._results()]
        return self._queue_fj(1, self.config.result_depth, words)

    def _queue_fj(self, lanes: int, depth: int, words: Sequence[int]) -> float:
        queue = Fifo(width=lanes * OPERAND_BITS, depth=depth)
        circuit = map_leaf(queue, self.cells)
        busy = [{"i__payload": word, "i__valid": 1, "o__ready": 1} for word in words]
        idle = [{"i__valid": 0, "o__ready": 1}] * CYCLES
        return _busy_fj(circuit, [], busy) - _busy_fj(circuit, [], idle)

    def skew_word_fj(self, units: Units, skew: str) -> float:
        """Energy of a 16-bit activation in the skew, the mean over all rows."""
        whole = Units(units.rtlil, {skew: 1})  # with all submodules, including the banks
        circuit = map_module(whole, skew, self.cells)
        rows, width = self.config.rows, ACTIVATION_LANE.size
        busy = []
        for seed in range(CYCLES):
            word = self._lanes(rows, seed)
            lanes = sum(
                packed(
                    ACTIVATION_LANE,
                    {"valid": 1, "operands": word >> OPERAND_BITS * row & 0xFFFF},
                )
                << width * row
                for row in range(rows)
            )
            busy.append({"valid": 1, "lanes": lanes})
        idle = [{"valid": 0}] * CYCLES
        return (_busy_fj(circuit, [], busy) - _busy_fj(circuit, [], idle)) / rows

    def idle_fj(self, units: Units) -> float:
        """Energy of all units except the NCUs in an idle cycle, for each NCU."""
        total = 0.0
        for module, places in units.places.items():
            if "_ncu_" in module:
                continue
            circuit = map_module(units, module, self.cells)
            if circuit.netlist.placed:
                total += places * _busy_fj(circuit, [], [{}] * CYCLES)
        return total / (self.config.rows * self.config.cols)

    def _results(self) -> list[int]:
        rng = np.random.default_rng(self.seed)
        values: list[int] = saturate(
            np.round(rng.normal(0, _SPREAD, CYCLES)).astype(np.int64), OPERAND_BITS
        ).tolist()
        return values

    def _lanes(self, lanes: int, seed: int) -> int:
        """Operands of one beat with the distribution of results; half are zero, as after a ReLU."""
        rng = np.random.default_rng((self.seed, seed))
        values = np.maximum(np.round(rng.normal(0, _SPREAD, lanes)).astype(np.int64), 0)
        return sum(_word(int(value)) << OPERAND_BITS * lane for lane, value in enumerate(values))

    def _knots(self) -> Cycles:
        layout = knot_write_layout(self.config)
        table = table_knots("tanh", self.config.table_segments).tolist()
        writes = [
            {"knot": packed(layout, {"enable": 1, "index": index, "value": value})}
            for index, value in enumerate(table)
        ]
        return [*writes, {"knot": 0}]

    def _accumulators(self, function: Function) -> Cycles:
        parameters = {"bias": 100, "shift": SHIFT + SHIFT_OFFSET}
        neuron = packed(NEURON_LAYOUT, {"parameters": parameters, "function": int(function)})
        mask = (1 << self.config.accumulator_bits) - 1
        rng = np.random.default_rng((self.seed, 7))
        low = rng.integers(0, 1 << SHIFT, CYCLES).tolist()
        return [
            {"valid": 1, "accumulator": ((value << SHIFT) + bits) & mask, "neuron": neuron}
            for value, bits in zip(self._results(), low, strict=True)
        ]

    def _check_afu(self, circuit: Circuit, function: Function, busy: Cycles) -> None:
        table = table_knots("tanh", self.config.table_segments)
        before = [*self._knots(), *busy]
        ready = RESET_CYCLES + len(before) - len(busy) + Afu.LATENCY
        times = [(ready + index + 1) * PERIOD_PS - 1 for index in range(len(busy) - Afu.LATENCY)]
        nets = circuit.netlist.ports["result"].nets
        seen = circuit.run(stimulus(circuit.netlist, before), times, nets).samples
        found = seen.astype(np.int64) @ (1 << np.arange(OPERAND_BITS))
        sums = np.array([cycle["accumulator"] for cycle in busy[: len(times)]])
        bits = self.config.accumulator_bits
        sums -= (sums >> (bits - 1)) << bits
        wanted = activate(saturate(round_shift(sums, SHIFT) + 100, OPERAND_BITS), function, table)
        if np.any(found != (wanted & 0xFFFF)):
            raise SynthesisError(f"the AFU's netlist computes a wrong {function.name.lower()}")


def _busy_fj(circuit: Circuit, before: Cycles, cycles: Cycles) -> float:
    """Mean energy of `cycles`, which follow the cycles `before`."""
    begin = (RESET_CYCLES + len(before)) * PERIOD_PS
    drive = stimulus(circuit.netlist, [*before, *cycles])
    return cycle_energy(circuit, circuit.run(drive, [begin], (), begin), len(cycles)).total_fj


def _word(value: int) -> int:
    return value & ((1 << OPERAND_BITS) - 1)
