"""Where the experiments of an application keep their files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axnn.flow.apps import App, find_app
from axnn.flow.steps import RunFolder
from qcnpe.spec.documents import read_document
from qcnpe.spec.errors import FormatError

HARDWARE = "hardware"
"""Name of the document of the run on the simulated engine."""

_JUDGED = ("float_accuracy", "axnn_accuracy", "energy_ratio")
_DOCUMENT_KEYS = {
    "ordering": ("curves",),
    "edges": ("rings", "shares", "accuracy"),
    HARDWARE: ("images_checked", "mismatches", "miscounts"),
}
"""What the document of a stage must hold."""

_ENTRY_KEYS = {
    "overfitting": (*_JUDGED, "epochs"),
    "dropout": (*_JUDGED, "same_ranking", "removal_ranking"),
}
"""What each entry must hold in the document of a stage that compares trainings."""


@dataclass(frozen=True)
class AppFolder:
    """The folder of one application and one seed.

    Attributes
    ----------
    root : folder of all applications
    name : of the application
    seed : of split, weights and order
    """

    root: Path
    name: str
    seed: int

    @property
    def app(self) -> App:
        """The application."""
        return find_app(self.name)

    @property
    def path(self) -> Path:
        """Where everything of this application and seed is."""
        return self.root / self.name / f"seed-{self.seed}"

    @property
    def trained(self) -> RunFolder:
        """The trained network, from which all variants start."""
        return RunFolder(self.path)

    def variant(self, name: str) -> RunFolder:
        """One approximation of the trained network."""
        return RunFolder(self.path / name, trained_in=self.path)

    def retrained(self, name: str) -> RunFolder:
        """A run of its own, with another training."""
        return RunFolder(self.path / name)

    def document(self, stage: str) -> Path:
        """The figures of a stage."""
        return self.path / f"{stage}.json"

    def figures(self, stage: str) -> dict[str, Any] | None:
        """What the document of a stage holds; None if it is not there.

        Raises
        ------
        FormatError
            If it is damaged, or not the document of that stage.
        """
        path = self.document(stage)
        if not path.exists():
            return None
        found = read_document(path, dict[str, Any])
        entries = found.values() if stage in _ENTRY_KEYS else [found]
        for key in (*_DOCUMENT_KEYS.get(stage, ()), *_ENTRY_KEYS.get(stage, ())):
            if any(not isinstance(entry, dict) or key not in entry for entry in entries):
                raise FormatError(f"{path}: no {key} in it; delete it")
        return found
