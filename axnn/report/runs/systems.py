"""Energy of systems with an autonomous engine: its engine, the units around it, all memories."""

from dataclasses import dataclass

import numpy as np

from axnn.flow.energy import EnergyModel
from qcnpe.activity import stream_activity
from qcnpe.events import OperandActivity
from qcnpe.placement.build import Placement
from qcnpe.placement.energy import ESTIMATE, image_energy, is_estimate
from qcnpe.spec.errors import FormatError
from qcnpe.spec.memory.machine import expand
from qcnpe.spec.qnet import QuantNet

PARTS = {
    "engine": "engine",
    "fetch": "memory side: fetch",
    "write_back": "memory side: write-back",
    "processor": "memory side: descriptor processor",
    "transfer": "memory side: loads, stores, fills",
    "banks": "memory side: selection of memories",
    "axi": "memory side: AXI4 manager",
    "control": "memory side: registers, counters, interrupt",
    "on_chip_memories": "on-chip memories",
    "external_memory": "external memory",
}
"""Titles of the parts among which energy is divided: the engine, units of the memory side, and
memories."""

SAMPLES = 8
"""Samples whose operands are counted, of those of the energy model."""


@dataclass(frozen=True, kw_only=True)
class SystemCost:
    """Energy of a run of one sample, with what is resident in the memories.

    Attributes
    ----------
    parts_pj : by part, of `PARTS`; empty if it is not known
    note : why it is not known, or why it is an estimate; else empty
    """

    parts_pj: dict[str, float]
    note: str = ""


def system_cost(net: QuantNet, placement: Placement, energy: EnergyModel) -> SystemCost:
    """Energy of a placed network.

    Parameters
    ----------
    net : the network
    placement : of it, one sample in a run
    energy : prices, and samples
    """
    try:
        activity = _activity(net, placement, energy)
        found = image_energy(energy.prices, placement.image, first=False, activity=activity)
    except FormatError as error:
        return SystemCost(parts_pj={}, note=f"Not priced: {error}.")
    note = ESTIMATE if is_estimate(energy.prices, placement.config) else ""
    parts = {"engine": found.engine_pj, **found.side_pj}
    memories = {"on_chip_memories": found.memory_pj, "external_memory": found.external_pj}
    return SystemCost(parts_pj=parts | memories, note=note)


def _activity(
    net: QuantNet, placement: Placement, energy: EnergyModel
) -> dict[int, OperandActivity] | None:
    """What the operands of a run do, the mean of some samples; None without samples."""
    if energy.samples is None:
        return None
    engine, total = placement.config.engine, dict[int, OperandActivity]()
    inputs = net.quantize_inputs(energy.samples)
    chosen = np.linspace(0, len(inputs), min(SAMPLES, len(inputs)), endpoint=False, dtype=int)
    for sample in inputs[chosen]:
        seen = stream_activity(engine, expand(placement.image, sample[None]))
        for width, each in seen.items():
            total[width] = total.get(width, OperandActivity()) + each
    return {width: each.scaled(1 / len(chosen)) for width, each in total.items()}
