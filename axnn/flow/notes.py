"""The notes in the files of a run's networks: their ancestry, and how they were made."""

from dataclasses import dataclass
from pathlib import Path

from axnn.approximation.widths import ApproximationPlan, Trial
from axnn.data import Encoding
from axnn.flow.ancestry import Ancestry
from axnn.nn.network import Network
from axnn.nn.train import Epoch
from qcnpe.spec.qnet import QuantNet


@dataclass(frozen=True, kw_only=True)
class TrainingNotes:
    """Notes in the file of a trained network: what it was made from, and each epoch."""

    made_from: Ancestry
    seed: int
    epochs: tuple[Epoch, ...]
    encoding: Encoding

    @staticmethod
    def ancestry(path: Path) -> Ancestry:
        """What the network in a file was made from."""
        return Ancestry.recorded(Network.load(path)[1], path)


@dataclass(frozen=True, kw_only=True)
class ApproximationNotes:
    """Notes in the file of an approximate network: what it was made from, and each trial.

    Attributes
    ----------
    made_from : its ancestors
    app : name of the application
    seed : of the run
    encoding : what the network's inputs and outputs stand for
    plan, steps : of the approximation; its trials are called steps in files
    """

    made_from: Ancestry
    app: str
    seed: int
    encoding: Encoding
    plan: ApproximationPlan
    steps: tuple[Trial, ...]

    @staticmethod
    def ancestry(path: Path) -> Ancestry:
        """What the network in a file was made from."""
        return Ancestry.recorded(QuantNet.load(path).notes, path)
