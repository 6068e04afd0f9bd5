"""A network on an engine, with what it costs, and which of them are worth a look."""

from collections.abc import Sequence
from dataclasses import dataclass

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.fpga import fits

COSTS = ("energy_pj", "cycles", "area_um2", "loss_points")
"""What should be small."""

OBJECTIVES = {"energy": "energy_pj", "latency": "cycles", "area": "area_um2"}
"""What the front can be sorted by, and the attribute that says it."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An operating point on an engine.

    Attributes
    ----------
    point : name of the operating point
    rows, cols, precisions, ncu : of the engine
    energy_pj : of the engine for a sample, in a long batch
    memory_pj, external_pj : of on-chip memories and of an external memory for a sample, not part of
        the energy
    cycles : of the engine for a sample, in a long batch; of an autonomous engine, in a run of one
        sample with the network in its memories
    area_um2 : of the engine's cells
    accuracy : on the validation part
    loss_points : percentage points of accuracy less than the exact network has there
    memory_bits : of the memories that an autonomous engine needs to hold the network; None of an
        engine that reads streams
    side_pj : energy of an autonomous engine's memory side for a sample, in such a run with mean
        operands, not part of the energy; None if it is not priced, and of an engine that reads
        streams
    side_um2 : area of its cells, without memories, not part of the area; None if it is not known,
        and of an engine that reads streams
    """

    point: str
    rows: int
    cols: int
    precisions: tuple[int, ...]
    ncu: str
    energy_pj: float
    memory_pj: float
    external_pj: float
    cycles: float
    area_um2: float
    accuracy: float
    loss_points: float
    memory_bits: int | None = None
    side_pj: float | None = None
    side_um2: float | None = None

    @property
    def engine(self) -> str:
        """The engine in a few words."""
        return self.config.title

    @property
    def config(self) -> EngineConfig:
        """The engine's parameters."""
        return EngineConfig(
            rows=self.rows, cols=self.cols, precisions=self.precisions, ncu=self.ncu
        )

    @property
    def boards(self) -> dict[str, str]:
        """Whether the engine fits each FPGA board: yes, no, or unknown."""
        return {name: found.value for name, found in fits(self.config).items()}

    @property
    def costs(self) -> tuple[float, ...]:
        """What should be small, in the order of `COSTS`."""
        return tuple(float(getattr(self, name)) for name in COSTS)


@dataclass(frozen=True)
class LeftOut:
    """An operating point that does not run on an engine.

    Attributes
    ----------
    engine : in a few words
    point : name of the operating point
    reason : what is missing
    """

    engine: str
    point: str
    reason: str


def pareto_front(candidates: Sequence[Candidate], objective: str) -> list[Candidate]:
    """Candidates that no other beats: none is better in one cost and as good in all others.

    Parameters
    ----------
    candidates : all of them
    objective : what they are sorted by, one of `OBJECTIVES`
    """
    # A candidate is only beaten by one that comes before it in this order.
    ordered = sorted(candidates, key=lambda each: (each.costs, each.engine, each.point))
    front: list[Candidate] = []
    for each in ordered:
        if not any(_beats(other.costs, each.costs) for other in front):
            front.append(each)
    return sorted(front, key=lambda each: (getattr(each, OBJECTIVES[objective]), each.costs))


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether the first is nowhere worse; of two that are equal, the first in order stays."""
    return all(a <= b for a, b in zip(one, other, strict=True))
