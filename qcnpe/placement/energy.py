"""Energy of runs of an autonomous engine: its engine, the units around it, and all memories."""

from collections.abc import Mapping
from dataclasses import dataclass

from qcnpe.events import OperandActivity, count_events
from qcnpe.memory_events import MEMORY_UNITS, count_memory_events
from qcnpe.prices import EnergyPrices
from qcnpe.spec.commands import Command, TableLoad
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from qcnpe.spec.memory.descriptors import Table
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import Job, follow_image

ESTIMATE = (
    "An estimate: units of the memory side were measured on arrays or memories of other sizes only."
)
"""What to say of energies for which `is_estimate` holds."""


@dataclass(frozen=True)
class SystemEnergy:
    """Energy in pJ.

    Attributes
    ----------
    engine_pj : of the engine, also while it waits
    side_pj : by unit of the memory side
    memory_pj : accesses to the on-chip memories, and their leakage
    external_pj : words from and to external memory
    """

    engine_pj: float
    side_pj: Mapping[str, float]
    memory_pj: float
    external_pj: float

    @property
    def total_pj(self) -> float:
        """The whole system's."""
        return self.engine_pj + sum(self.side_pj.values()) + self.memory_pj + self.external_pj

    @property
    def parts(self) -> dict[str, float]:
        """All parts by name, the memory side as one, and their sum."""
        return {
            "engine": self.engine_pj,
            "memory_side": sum(self.side_pj.values()),
            "on_chip_memories": self.memory_pj,
            "external_memory": self.external_pj,
            "total": self.total_pj,
        }

    def __add__(self, other: "SystemEnergy") -> "SystemEnergy":
        side = {unit: pj + other.side_pj[unit] for unit, pj in self.side_pj.items()}
        return SystemEnergy(
            self.engine_pj + other.engine_pj,
            side,
            self.memory_pj + other.memory_pj,
            self.external_pj + other.external_pj,
        )

    def scaled(self, factor: float) -> "SystemEnergy":
        """So many times as much."""
        side = {unit: factor * pj for unit, pj in self.side_pj.items()}
        return SystemEnergy(
            factor * self.engine_pj, side, factor * self.memory_pj, factor * self.external_pj
        )


def image_energy(
    prices: EnergyPrices,
    image: Image,
    *,
    first: bool,
    activity: Mapping[int, OperandActivity] | None = None,
) -> SystemEnergy:
    """Energy of a run of an image.

    Parameters
    ----------
    prices : of all events
    image : of a network
    first : the run after the boot, which loads what is resident; else a further one
    activity : what the run's operands do, by precision; by default they are mean ones

    Raises
    ------
    FormatError
        If an event has no price: of an engine with other widths, for example.
    """
    engine = image.config.engine
    own = prices.for_engine(engine)
    cycles = count_run(image, first=first).cycles
    around = count_memory_events(image, first=first, cycles=cycles, activity=activity)
    counted = count_events(engine, _commands(image, first=first), cycles=cycles)
    side, memories = _by_unit(around)
    external = {"external_word": memories.pop("external_word", 0)}
    return SystemEnergy(
        engine_pj=own.cost_pj(counted.events(activity)),
        side_pj={unit: own.cost_pj(events) for unit, events in side.items()},
        memory_pj=own.cost_pj(memories),
        external_pj=own.cost_pj(external),
    )


def side_energy_pj(prices: EnergyPrices, image: Image, *, cycles: int) -> float | None:
    """Energy of the memory side in a run that is not the first, with mean operands.

    None if one of its events has no price, as on an engine whose widths were not measured.

    Parameters
    ----------
    prices : of all events
    image : of a network
    cycles : of the run
    """
    own = prices.for_engine(image.config.engine)
    side, _ = _by_unit(count_memory_events(image, first=False, cycles=cycles))
    if not all(own.has_price(event) for events in side.values() for event in events):
        return None
    return sum(own.cost_pj(events) for events in side.values())


def _by_unit(around: Mapping[str, int]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Events of each unit of the memory side, and those of the memories."""
    side: dict[str, dict[str, int]] = {unit: {} for unit in MEMORY_UNITS}
    memories: dict[str, int] = {}
    for event, count in around.items():
        unit = next((unit for unit in MEMORY_UNITS if event.startswith(f"{unit}_")), None)
        (side[unit] if unit else memories)[event] = count
    return side, memories


def is_estimate(prices: EnergyPrices, config: MemoryConfig) -> bool:
    """Whether units of the memory side were measured on engines of other sizes only."""
    default = MemoryConfig.default(config.engine)
    return config != default or not prices.knows_array(config.engine)


def _commands(image: Image, *, first: bool) -> list[Command]:
    """What the engine executes."""
    found: list[Command] = []
    for each in follow_image(image, first=first).done:
        if isinstance(each, Job):
            found += [each.command] * (each.tiles.tiles * each.tiles.repeat)
        elif isinstance(each, Table):
            found.append(TableLoad())
    return found
