"""The file of the final judgement: what was judged, and the figures."""

from dataclasses import dataclass
from pathlib import Path

from axnn.flow.ancestry import Ancestry
from axnn.flow.evaluate import Evaluation
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import read_document


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What the figures of an approximate network are of.

    Attributes
    ----------
    app : name of the application
    seed : of split, weights and order
    bound_percent : accuracy that could be lost on validation, in points
    criterion : what neurons were sorted by
    engine : what the network was approximated for
    """

    app: str
    seed: int
    bound_percent: float
    criterion: str
    engine: EngineConfig


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a file of the final judgement holds.

    Attributes
    ----------
    made_from : the ancestors of the figures
    run : what they are of
    evaluation : the figures
    """

    made_from: Ancestry
    run: RunFacts
    evaluation: Evaluation

    @classmethod
    def read(cls, path: Path) -> "Judgement":
        """The judgement in a file; `FormatError` if it is damaged or of an earlier version."""
        return read_document(path, cls)
