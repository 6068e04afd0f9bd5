"""Where the experiments of an application keep their files."""

from dataclasses import dataclass
from pathlib import Path

from axnn.apps import App, find_app
from axnn.steps import RunFolder


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
