"""Drives a mapped neural compute unit (NCU) with the operands of tiles and checks its sums."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.rtl.layouts import WEIGHT_LANE, low_segments, mode_bits, west_layout
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.fixed import unpack
from synth.errors import SynthesisError
from synth.gatesim import Activity, Circuit
from synth.partial_products import reverse_fields
from synth.stimulus import PERIOD_PS, RESET_CYCLES, packed, stimulus
from synth.structural import MacTree, structural_west_layout
from synth.timing import path_ns
from synth.traces import Tile

LATENCY = 2
"""Cycles from operands at the ports to the sum in the accumulator (see `Ncu`)."""


def exact_sum(tile: Tile, config: EngineConfig) -> int:
    """The sum of products of a tile's operands."""
    pairs = config.pairs(tile.precision)
    left = unpack(tile.activations, tile.precision, pairs, unsigned=tile.unsigned)
    right = unpack(tile.weights, tile.precision, pairs)
    return int(np.sum(left.astype(np.int64) * right.astype(np.int64)))


class NcuBench:
    """A mapped NCU between two idle neighbours.

    Parameters
    ----------
    circuit : the NCU
    config : its engine
    tree : its adder tree, if it is a `StructuralNcu`
    period_ps : of the clock
    """

    def __init__(
        self,
        circuit: Circuit,
        config: EngineConfig,
        tree: MacTree | None = None,
        period_ps: float = PERIOD_PS,
    ) -> None:
        self.circuit, self.config, self.tree = circuit, config, tree
        self.period_ps = period_ps

    def at(self, period_ps: float) -> "NcuBench":
        """The same with another clock."""
        return NcuBench(self.circuit, self.config, self.tree, period_ps)

    @property
    def path_ns(self) -> float:
        """The NCU's longest path, with setup."""
        return path_ns(self.circuit)

    def run(self, tiles: Sequence[Tile]) -> Activity:
        """Run tiles back to back; check every sum.

        Energies are counted from the first operands to the last sum: a cycle for each beat, and
        `LATENCY` cycles.

        Raises
        ------
        SynthesisError
            If the netlist accumulates a wrong sum.
        """
        cycles = [*self._beats(tiles), *[{"west": 0, "north": 0}] * LATENCY]
        begin = RESET_CYCLES * self.period_ps
        ends = np.cumsum([len(tile.weights) for tile in tiles])
        finished = [int(RESET_CYCLES + end - 1 + LATENCY) for end in ends]
        samples = [begin, *((cycle + 1) * self.period_ps - 1 for cycle in finished)]
        ports = self.circuit.netlist.ports
        watched = (*ports["result"].nets, *ports["done"].nets)
        drive = stimulus(self.circuit.netlist, cycles, self.period_ps)
        activity = self.circuit.run(drive, samples, watched, begin)
        self._check(tiles, activity.samples[1:])
        return activity

    def idle(self, cycles: int) -> Activity:
        """Run idle cycles: only the clock toggles."""
        begin = RESET_CYCLES * self.period_ps
        still = [{"west": 0, "north": 0}] * cycles
        drive = stimulus(self.circuit.netlist, still, self.period_ps)
        return self.circuit.run(drive, [begin], (), begin)

    def _beats(self, tiles: Sequence[Tile]) -> list[Mapping[str, int]]:
        """Values of the ports in every cycle."""
        west = west_layout(self.config)
        if self.tree:
            west = structural_west_layout(self.config, self.tree)
        stored = 0xFFFF if self.tree and self.tree.inverted_activations else 0
        beats: list[Mapping[str, int]] = []
        for tile in tiles:
            weights = tile.weights.tolist()
            if self._is_split:
                weights = reverse_fields(weights, tile.precision)
            fixed = {"is_unsigned": int(tile.unsigned)}
            if mode_bits(self.config):
                index = self.config.precisions.index(tile.precision)
                fixed |= {"masks": self.tree.mask_bits(index)} if self.tree else {"mode": index}
            if low_segments(self.config):
                narrow = enumerate(self.config.narrow_precisions)
                fixed["used"] = sum((tile.precision > width) << n for n, width in narrow)
            last = len(weights) - 1
            lanes = zip(tile.activations.tolist(), weights, strict=True)
            for beat, (activation, weight) in enumerate(lanes):
                lane = {"valid": 1, "zero": int(activation == 0), "operands": activation ^ stored}
                control = {"first": int(beat == 0), "last": int(beat == last), **fixed}
                beats.append(
                    {
                        "west": packed(west, {"lane": lane, "control": control}),
                        "north": packed(WEIGHT_LANE, {"valid": 1, "operands": weight}),
                    }
                )
        return beats

    @property
    def _is_split(self) -> bool:
        return self.tree is not None and self.config.kind.is_packed

    def _check(self, tiles: Sequence[Tile], samples: NDArray[np.uint8]) -> None:
        bits = self.config.accumulator_bits
        columns = [*range(bits), *(self.tree.breaks if self.tree else ())]
        for index, (tile, sample) in enumerate(zip(tiles, samples, strict=True)):
            found = sum(int(bit) << column for bit, column in zip(sample, columns, strict=False))
            places = OPERAND_BITS - tile.precision if self._is_split else 0
            wanted = exact_sum(tile, self.config) << places
            if (found - wanted) % (1 << bits) or not sample[-1]:
                raise SynthesisError(
                    f"{self.circuit.netlist.name}: tile {index} at {tile.precision} bits gives"
                    f" {found}, not {wanted}; {self._cause()}"
                )

    def _cause(self) -> str:
        """Why a sum is wrong."""
        path_ps = 1000 * self.path_ns
        if path_ps <= self.period_ps:
            return "the netlist is wrong"
        slow = (
            f"its longest path takes {path_ps:,.0f} ps, the clock's period {self.period_ps:,.0f} ps"
        )
        return f"{slow}; use a faster library"
