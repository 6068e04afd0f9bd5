"""The folder of a run: the paths of its files, and readers of those that other files are made from.

Every file is checked before it is used: one whose ancestors have changed is refused, and the error
names the command that makes it again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from axnn.approximation.loop import Approximation
from axnn.data import DataSet
from axnn.errors import RunError
from axnn.flow.ancestry import MADE_FROM, Ancestry
from axnn.flow.apps import App
from axnn.flow.judgement import Judgement, RunFacts
from axnn.flow.lock import Check, lock_folder
from axnn.flow.notes import ApproximationNotes, TrainingNotes
from axnn.flow.record import NETWORK, RunRecord
from axnn.nn.network import Network
from axnn.nn.train import Epoch
from qcnpe.spec.documents import convert_document
from qcnpe.spec.files import remove_temporaries
from qcnpe.spec.qnet import QuantNet

APPROXIMATE, EVALUATE = "`axnn approximate`", "`axnn evaluate`"

BOUND, UNIFORM = "bound-", "uniform-"
"""How the names of folders begin that hold the approximation under another bound, and the networks
of one width."""


def bound_name(bound: float) -> str:
    """Name of the folder for a bound in percentage points."""
    return f"{BOUND}{bound:g}"


def uniform_name(width: int) -> str:
    """Name of the folder for a width in bits."""
    return f"{UNIFORM}{width}"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, its application and quality, the run's seed, the training's epochs."""

    network: Network
    app: App
    quality: str
    seed: int
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its files.

    Attributes
    ----------
    path : the folder
    trained_in : the folder of the trained network, if several runs share one
    """

    path: Path
    trained_in: Path | None = None

    @property
    def root(self) -> Path:
        """Folder of the trained network."""
        return self.trained_in or self.path

    @property
    def network(self) -> Path:
        """The trained network in floating point."""
        return self.root / NETWORK

    @property
    def imported(self) -> Path:
        """The integers of the quantised file that the network was imported from."""
        return self.root / "imported.npz"

    @property
    def resilience(self) -> Path:
        """Score of every neuron by every criterion."""
        return self.root / "resilience.npz"

    @property
    def state(self) -> Path:
        """Where the approximation ended, for a run under a looser bound to go on from."""
        return self.path / "state.npz"

    @property
    def exact16(self) -> Path:
        """The exact network in integers."""
        return self.path / "exact16.npz"

    @property
    def axnn(self) -> Path:
        """The approximate network in integers."""
        return self.path / "axnn.npz"

    @property
    def test_inputs(self) -> Path:
        """The test part in integers, see `qcnpe.spec.samples`."""
        return self.path / "test_inputs.npz"

    @property
    def evaluation(self) -> Path:
        """Accuracies on the test part and costs."""
        return self.path / "evaluation.json"

    @property
    def summary(self) -> Path:
        """The figures of the whole run."""
        return self.path / "summary.json"

    def uniform(self, width: int) -> "RunFolder":
        """The run of the network of one width; runs of one trained network share it."""
        return RunFolder(self.root / uniform_name(width), trained_in=self.root)

    def bound(self, bound: float) -> "RunFolder":
        """The run of the approximation under another bound, of the same trained network."""
        return RunFolder(self.root / bound_name(bound), trained_in=self.root)

    @contextmanager
    def lock(self) -> Iterator[Check]:
        """Lock to hold while writing, see `lock_folder`; runs of one trained network share it."""
        with lock_folder(self.root) as check:
            remove_temporaries(self.path)
            yield check

    def record(self) -> RunRecord:
        """The run's application, seed and data digests."""
        return RunRecord.read(self.root)

    def samples(self) -> DataSet:
        """The application's data, as they were when the run began."""
        return self.record().samples(self.root)

    def trained(self) -> Trained:
        """The trained network and what it was trained for.

        Raises
        ------
        RunError
            If there is none, or its plan, seed or data have changed.
        """
        record = self.record()
        if not self.network.exists():
            raise RunError(f"{self.path}: holds no trained network; run {record.remedy} first")
        network, found = Network.load(self.network)
        notes = convert_document(found, TrainingNotes, where=f"{self.network}: notes")
        notes.made_from.check(self.network, files=(), values=record.training, remedy=record.remedy)
        return Trained(network, record.app, record.quality, record.seed, notes.epochs)

    def approximated(self) -> Approximation:
        """What the approximation found.

        Raises
        ------
        RunError
            If there is nothing, or its ancestors have changed.
        """
        self.trained()
        if not (self.exact16.exists() and self.axnn.exists()):
            raise RunError(f"{self.path}: holds no approximation; run {APPROXIMATE} first")
        exact, axnn = self._load(self.exact16), self._load(self.axnn)
        notes = convert_document(axnn.notes, ApproximationNotes, where=str(self.axnn))
        if exact.notes[MADE_FROM] != axnn.notes[MADE_FROM]:
            raise RunError(f"{self.path}: the approximation was interrupted; run {APPROXIMATE}")
        return Approximation(notes.plan, exact, axnn, notes.steps)

    def point(self, name: str) -> QuantNet:
        """An integer network by its file's name without `.npz`, checked as in `approximated`."""
        self.trained()
        return self._load(self.path / f"{name}.npz")

    def _load(self, path: Path) -> QuantNet:
        record = self.record()
        if not path.exists():
            raise RunError(f"{path}: no such network; run {APPROXIMATE} first")
        net = QuantNet.load(path)
        made_from = Ancestry.recorded(net.notes, path)
        values = record.approximation
        made_from.check(path, files=[self.network], values=values, remedy=APPROXIMATE)
        return net

    def judgement(self) -> Judgement:
        """The figures on the test part, with what they were made from.

        Raises
        ------
        RunError
            If there are none, or their ancestors have changed.
        """
        self.approximated()
        if not (self.evaluation.exists() and self.test_inputs.exists()):
            raise RunError(f"{self.path}: holds no evaluation; run {EVALUATE} first")
        found = Judgement.read(self.evaluation)
        found.made_from.check(
            self.evaluation, files=self.judged, values=self.record().judgement, remedy=EVALUATE
        )
        return found

    @property
    def judged(self) -> tuple[Path, ...]:
        """The files that an evaluation reads."""
        return self.network, self.exact16, self.axnn, self.test_inputs

    def facts(self) -> RunFacts:
        """Which run the approximate network's figures belong to."""
        record, plan = self.record(), self.approximated().plan
        return RunFacts(
            app=record.name,
            seed=record.seed,
            bound_percent=plan.bound_percent,
            criterion=plan.criterion,
            engine=record.app.engine,
            quality=record.quality,
        )
