"""The networks of a subject in a run folder: exact, and approximate under each bound.

A file that is there already and was made from the same things is taken as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from axnn.cpu.benchmark.subjects import Subject, train_subject
from axnn.cpu.choice.choose import Approximated, Plan, Step, approximate
from axnn.data import DataSet
from axnn.flow.steps import make_key
from axnn.nn.train import validate

BOUNDS_PERCENT = (0.5, 2.5, 7.5)
"""Accuracy that may be lost on validation, in points; those of the paper."""

Notify = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Run:
    """A subject's networks.

    Attributes
    ----------
    subject, data, folder, seed : what, on what, where, and with which seed
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
            samples=self.subject.healing_samples,
        )

    def approximated(self, notify: Notify) -> dict[float, Approximated]:
        """The approximate network for each bound; each goes on from the tighter one before."""
        found: dict[float, Approximated] = {}
        current = self.exact
        earlier = ""
        for bound in BOUNDS_PERCENT:
            key = make_key(
                plan=self.plan(bound),
                network=self.folder / "network.npz",
                data=self.data.digest,
                seed=self.seed,
                earlier=earlier,
            )
            current = self._approximated(bound, key, current, notify)
            found[bound], earlier = current, key
        return found

    def _approximated(
        self, bound: float, key: str, start: Approximated, notify: Notify
    ) -> Approximated:
        path = self.folder / f"bound-{bound:g}.npz"
        if path.exists():
            approximated, found_key = Approximated.load(path, self.exact.network)
            if found_key == key:
                return approximated
        part = self.folder / f"bound-{bound:g}-{key[:12]}.part.npz"

        def on_step(step: Step) -> None:
            verdict = "kept" if step.kept else "taken back"
            notify(f"bound {bound:g}: validation {step.accuracy:.2%}, {verdict}")

        approximated = approximate(
            start,
            self.data,
            self.plan(bound),
            floor=self.accuracy - bound / 100,
            seed=self.seed,
            state=part,
            on_step=on_step,
        )
        approximated.save(path, key)
        part.unlink(missing_ok=True)
        return approximated


def open_run(subject: Subject, folder: Path, *, seed: int, notify: Notify) -> Run:
    """Load the data, and train the exact network if it is not there yet."""
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
