"""Reports on placements: cycles, utilisation, stalls and traffic by layer."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from qcnpe.placement.build import Placement
from qcnpe.placement.layout import name_of
from qcnpe.placement.residency import LOADED
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.cycles import RunCount, Span, count_run
from qcnpe.spec.qnet import QuantLayer, QuantNet


@dataclass(frozen=True)
class LayerReport:
    """What a layer costs in a run.

    Attributes
    ----------
    name : of the layer
    cycles : from its first phase to its results, with loads that it waited for
    stalled : of these, cycles in which it waited for loads
    utilisation : the network's own multiplications, each at its width, as a fraction of all that
        the array could do in these cycles; zeros that fill beats or stand in patches are no work
    words_read, words_written : 16-bit words of external memory, read for this layer, and written
    strips : parts in which it is computed; more than one if its maps do not fit the banks
    weights_stay : whether all its weights stay loaded from run to run
    """

    name: str
    cycles: int
    stalled: int
    utilisation: float
    words_read: int
    words_written: int
    strips: int = 1
    weights_stay: bool = True


@dataclass(frozen=True)
class PlacementReport:
    """A report on a placement.

    Attributes
    ----------
    layers : what precedes the layers, then each layer, of a run that is not the first
    first, further : counts of the first run, and of a further one
    rows_used : rows of each memory that the network needs; of those that are not resident, what all
        phases need together
    placement : what it is about
    """

    layers: tuple[LayerReport, ...]
    first: RunCount
    further: RunCount
    rows_used: dict[str, int]
    placement: Placement

    @classmethod
    def of(cls, placement: Placement, net: QuantNet) -> "PlacementReport":
        """Count the runs of a placement of a network."""
        first, further = (count_run(placement.image, first=first) for first in (True, False))
        config = placement.config
        rows = {
            memory.name.lower(): sum(phase.rows(memory, config) for phase in placement.phases)
            for memory in LOADED
        }
        rows["activations"] = placement.places.used_rows(config.banks)
        rows["descriptors"] = placement.image.boot_rows
        return cls(_by_layer(placement, net, further), first, further, rows, placement)

    @property
    def cycles(self) -> int:
        """Cycles of a further run."""
        return self.further.cycles

    @property
    def memories(self) -> dict[str, Any]:
        """Each memory's depth, what is used, and whether it holds the whole network."""
        placement = self.placement
        held = {*placement.resident, Memory.DESCRIPTORS}
        if not placement.places.external:
            held.add(Memory.ACTIVATIONS)
        return {
            memory.name.lower(): {
                "rows": placement.config.depth(memory),
                "used": self.rows_used[memory.name.lower()],
                "resident": memory in held,
            }
            for memory in Memory
        }

    @property
    def least_memories(self) -> MemoryConfig:
        """The engine with as few rows of each memory as the network needs to stay in them."""
        used = {memory: max(1, self.rows_used[memory.name.lower()]) for memory in Memory}
        return self.placement.config.with_depths(used)

    @property
    def document(self) -> dict[str, Any]:
        """Figures for a JSON document."""
        per_word = self._words_per_bus_word
        return {
            "batch": self.placement.program.batch,
            "cycles": self.cycles,
            "stream_cycles": self.placement.program.cycles,
            "first_cycles": self.first.cycles,
            "words_read": self.further.words_read * per_word,
            "words_written": self.further.words_written * per_word,
            "first_words_read": self.first.words_read * per_word,
            "image_bytes": len(self.placement.image.data),
            "layers": [asdict(layer) for layer in self.layers],
        }

    @property
    def caption(self) -> str:
        """The first run, and what is loaded again in every run."""
        placement = self.placement
        again = [memory.name.lower() for memory in LOADED if memory not in placement.resident]
        if placement.plans[Memory.WEIGHTS].once:
            again = ["part of the weights" if name == "weights" else name for name in again]
        loaded = f"loaded in every run: {', '.join(again)}" if again else "all of it stays loaded"
        words = self.first.words_read * self._words_per_bus_word
        found = f"First run: {self.first.cycles:,} cycles, {words:,} words read; {loaded}."
        if placement.places.external:
            names = [name_of(placement.program, each) for each in sorted(placement.places.external)]
            found += f" In external memory: the maps of {', '.join(names)}."
        return found

    headings = (
        "layer",
        "cycles",
        "stalled",
        "utilisation",
        "words read",
        "words written",
        "strips",
        "weights",
    )
    """Headings of the table."""

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Rows of the table."""
        return [
            (
                layer.name,
                f"{layer.cycles:,}",
                f"{layer.stalled:,}",
                f"{layer.utilisation:.0%}",
                f"{layer.words_read:,}",
                f"{layer.words_written:,}",
                f"{layer.strips}",
                "stay" if layer.weights_stay else "loaded",
            )
            for layer in self.layers
        ]

    @property
    def _words_per_bus_word(self) -> int:
        return self.placement.config.bus_bits // OPERAND_BITS


def _by_layer(placement: Placement, net: QuantNet, run: RunCount) -> tuple[LayerReport, ...]:
    """Spans of phases, added up by layer; what is read for no phase precedes them."""
    program, config = placement.program, placement.config
    area = config.engine.rows * config.engine.cols
    per_word = config.bus_bits // OPERAND_BITS
    weights = placement.plans[Memory.WEIGHTS]
    rest = run.words_read - sum(placement.phase_words)
    start = run.spans[0]
    found = [LayerReport("start", start.cycles, start.stalled, 0.0, rest * per_word, 0)]
    for index, layer in enumerate(program.layers):
        chosen = [n for n, phase in enumerate(placement.phases) if phase.layer == index]
        total = _sum([run.spans[number + 1] for number in chosen])
        work = program.batch * _own_beats(net.layers[index], config.engine)
        found.append(
            LayerReport(
                name=layer.layer.name,
                cycles=total.cycles,
                stalled=total.stalled,
                utilisation=work / max(1, total.cycles * area),
                words_read=sum(placement.phase_words[number] for number in chosen) * per_word,
                words_written=total.words_written * per_word,
                strips=len(placement.places.strips[index]),
                weights_stay=all(weights.stays(number) for number in chosen),
            )
        )
    return tuple(found)


def _own_beats(layer: QuantLayer, engine: EngineConfig) -> float:
    """Cycles of one unit for the multiplications of a layer, for one sample, at full rate."""
    widths, neurons = np.unique(layer.precision, return_counts=True)
    each = layer.wiring.window * layer.wiring.fan_in
    return each * sum(
        count / engine.pairs(width)
        for width, count in zip(widths.tolist(), neurons.tolist(), strict=True)
    )


def _sum(spans: list[Span]) -> Span:
    return Span(
        sum(span.cycles for span in spans),
        sum(span.stalled for span in spans),
        sum(span.words_read for span in spans),
        sum(span.words_written for span in spans),
    )
