"""The networks of a subject in a run folder: exact, and approximate under each bound.

A file that already exists is used if it was made from the same inputs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axnn.cpu.benchmark.subjects import NETWORK, Subject, train_subject
from axnn.cpu.choice.approximated import Approximated, KindTrial
from axnn.cpu.choice.choose import Plan, approximate
from axnn.data import DataSet
from axnn.flow.ancestry import Ancestry
from axnn.nn.train import validate

BOUNDS_PERCENT = (0.5, 2.5, 7.5)
"""Bounds on the loss of accuracy on validation, in percentage points; those of the paper."""

Notify = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Run:
    """A subject's networks.

    Attributes
    ----------
    subject, data, folder, seed : the subject, its data, the run's folder and its seed
    exact : the trained network
    accuracy : of the exact network on validation, a fraction
    """

    subject: Subject
    data: DataSet
    folder: Path
    seed: int
    exact: Approximated
    accuracy: float

    def plan(self, bound_percent: float, criterion: str = "replacement") -> Plan:
        """How the subject is approximated."""
        return Plan(
            bound_percent=bound_percent,
            retraining=self.subject.retraining,
            criterion=criterion,
            trials=self.subject.trials,
            samples=self.subject.retraining_samples,
        )

    @property
    def network(self) -> Path:
        """File of the trained network."""
        return self.folder / NETWORK

    def bound_file(self, bound_percent: float) -> Path:
        """File of the approximate network for a bound."""
        return self.folder / f"bound-{bound_percent:g}.npz"

    def ancestry(self, path: Path, files: Iterable[Path] = (), **values: Any) -> Ancestry:
        """The present ancestry of a file: the trained network, and the arguments."""
        common = {"seed": self.seed, "data": self.data.digest}
        return Ancestry.of(path, [self.network, *files], **common, **values)

    def approximated(self, notify: Notify) -> dict[float, Approximated]:
        """The approximate network for each bound; each begins with that of the bound before."""
        found: dict[float, Approximated] = {}
        before: list[Path] = []
        current = self.exact
        for bound in BOUNDS_PERCENT:
            found[bound] = current = self._approximated(bound, before, current, notify)
            before = [self.bound_file(bound)]
        return found

    def _approximated(
        self, bound: float, before: list[Path], start: Approximated, notify: Notify
    ) -> Approximated:
        path = self.bound_file(bound)
        made_from = self.ancestry(path, before, plan=self.plan(bound))
        part = made_from.unfinished(path, f"bound-{bound:g}")
        if path.exists():
            approximated, recorded = Approximated.load(path, self.exact.network)
            if recorded == made_from:
                part.unlink(missing_ok=True)
                return approximated

        def on_trial(trial: KindTrial) -> None:
            verdict = "kept" if trial.kept else "taken back"
            notify(f"bound {bound:g}: validation {trial.accuracy:.2%}, {verdict}")

        approximated = approximate(
            start,
            self.data,
            self.plan(bound),
            floor=self.accuracy - bound / 100,
            seed=self.seed,
            state=part,
            on_trial=on_trial,
        )
        approximated.save(path, made_from)
        part.unlink(missing_ok=True)
        return approximated


def open_run(subject: Subject, folder: Path, *, seed: int, notify: Notify) -> Run:
    """Load the data, and train the exact network unless the folder holds it."""
    data = subject.load(seed)
    network = train_subject(
        subject,
        data,
        folder,
        seed=seed,
        on_epoch=lambda epoch: notify(
            f"epoch {epoch.number + 1}: validation {epoch.validation_accuracy:.2%}"
        ),
    )
    exact = Approximated.exact(network, data)
    return Run(subject, data, folder, seed, exact, validate(network, data.validation)[1])
