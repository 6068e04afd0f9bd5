"""Where the experiments of an application keep their files."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from axnn.errors import RunError
from axnn.experiments.documents import HARDWARE, Document, DocumentKind
from axnn.flow.ancestry import MADE_FROM, Ancestry
from axnn.flow.apps import App, find_app
from axnn.flow.run_folder import RunFolder
from qcnpe.spec.documents import NotNegative, convert_document, read_document, write_document


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

    def spent(self) -> dict[str, float]:
        """Seconds that each stage took so far, without those of interrupted processes."""
        path = self._seconds
        return read_document(path, dict[str, NotNegative]) if path.exists() else {}

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the seconds of a stage."""
        spent = self.spent()
        write_document(self._seconds, {**spent, stage: round(spent.get(stage, 0) + seconds, 1)})

    @property
    def _seconds(self) -> Path:
        return self.path / "seconds.json"

    def check(self) -> None:
        """Refuse a folder whose run is of another application or seed than its name says."""
        record = self.trained.record()
        if (record.name, record.seed) != (self.name, self.seed):
            raise RunError(
                f"{self.path}: holds {record.name!r} with seed {record.seed}; move it to its place"
            )

    def ancestry(self, stage: str, files: Iterable[Path] = (), **values: Any) -> Ancestry:
        """What the figures of a stage are made from now: the trained network, and this."""
        run = self.trained
        return Ancestry.of(
            self.document(stage), [run.network, *files], **run.record().approximation, **values
        )

    def holds(self, stage: str, made_from: Ancestry) -> bool:
        """Whether the figures of a stage are there, made from this."""
        path = self.document(stage)
        return path.exists() and Ancestry.recorded(_read(path), path) == made_from

    def write(self, stage: str, figures: Mapping[str, Any], made_from: Ancestry) -> None:
        """Write the figures of a stage."""
        write_document(self.document(stage), {MADE_FROM: asdict(made_from), **figures})

    def figures(self, kind: DocumentKind[Document]) -> Document | None:
        """What the document of a stage holds; None if it is not there.

        Raises
        ------
        RunError
            If they were made from something that has changed since.
        FormatError
            If it is damaged, or not the document of that stage.
        """
        path = self.document(kind.name)
        if not path.exists():
            return None
        found = _read(path)
        run, made_from = self.trained, Ancestry.recorded(found, path)
        values = run.record().approximation
        made_from.check(path, files=[run.network], values=values, remedy=self._remedy(kind.name))
        del found[MADE_FROM]
        return convert_document(found, kind.schema, where=str(path))

    def _remedy(self, stage: str) -> str:
        if stage == HARDWARE.name:
            return "`python -m sim.check_apps`"
        return f"`axnn experiments {self.name} --stage {stage}`"


def _read(path: Path) -> dict[str, Any]:
    return read_document(path, dict[str, Any])
