"""The file of the final evaluation: which run it belongs to, and the figures."""

from dataclasses import dataclass
from pathlib import Path

from axnn.flow.ancestry import Ancestry
from axnn.flow.evaluate import Evaluation
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import read_document


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Which run the figures of an approximate network belong to.

    Attributes
    ----------
    app : name of the application
    seed : of the data's split, the initial weights and the order of the samples
    bound_percent : accuracy that the loop may lose on validation, in percentage points
    criterion : what neurons were sorted by
    engine : what the network was approximated for
    quality : name of the quality that accuracies are
    """

    app: str
    seed: int
    bound_percent: float
    criterion: str
    engine: EngineConfig
    quality: str = "accuracy"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a file of the final evaluation holds.

    Attributes
    ----------
    made_from : the ancestors of the figures
    run : which run they belong to
    evaluation : the figures
    """

    made_from: Ancestry
    run: RunFacts
    evaluation: Evaluation

    @classmethod
    def read(cls, path: Path) -> "Judgement":
        """The contents of a file; `FormatError` if it is damaged or of an earlier version."""
        return read_document(path, cls)
