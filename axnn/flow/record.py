"""The record of a run folder: its application by value, its seed and the digests of its data.

Later commands need neither the catalogue of applications nor an option.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from axnn import data
from axnn.data import DataSet, Encoding, OwnData
from axnn.errors import RunError
from axnn.flow.apps import App
from axnn.nn.network import Network
from qcnpe.spec.documents import read_document, write_document

RECORD = "run.json"
"""The file of the record, the ancestor of all others."""

NETWORK = "network.npz"
"""The file of the trained network in floating point."""

RunKind = Literal["axnn-run-1"]


@dataclass(frozen=True, kw_only=True)
class DataDigests:
    """SHA-256 of the parts of a data set.

    Attributes
    ----------
    fitted : of the training and the validation part, which training sees
    test : of the test part
    """

    fitted: str
    test: str

    @classmethod
    def of(cls, samples: DataSet) -> "DataDigests":
        """The digests of a data set."""
        return cls(fitted=samples.digest, test=samples.test.digest)


@dataclass(frozen=True, kw_only=True)
class ForeignNetwork:
    """The file that a run's network was imported from.

    Attributes
    ----------
    path : of the file
    sha256 : of its bytes
    """

    path: str
    sha256: str


MAX_SEED = (1 << 63) - 1
"""Largest seed: an integer of 64 bits with a sign."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """An application with everything that its run depends on.

    Attributes
    ----------
    kind : tells the record of a run from those of other folders
    name : of the application
    app : the application: data set, network, plans, engine
    seed : of the data's split, the initial weights and the order of the samples
    digests : of the data
    encoding : of the data: what the network's inputs and outputs stand for
    quality : name of what is called accuracy elsewhere
    imported : where the network was imported from; None: it is trained here
    """

    kind: RunKind = "axnn-run-1"
    name: str
    app: App
    seed: int
    digests: DataDigests
    encoding: Encoding
    quality: str = "accuracy"
    imported: ForeignNetwork | None = None

    @classmethod
    def of(
        cls, app: App, seed: int, samples: DataSet, imported: ForeignNetwork | None = None
    ) -> "RunRecord":
        """The record of an application with its data.

        Raises
        ------
        RunError
            If the file cannot hold the seed.
        """
        if not 0 <= seed <= MAX_SEED:
            raise RunError(f"seed must be 0..{MAX_SEED}, not {seed}")
        return cls(
            name=app.name,
            app=app,
            seed=seed,
            digests=DataDigests.of(samples),
            encoding=samples.encoding,
            quality=samples.task.quality_name,
            imported=imported,
        )

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """The record in a folder.

        Raises
        ------
        RunError
            If the folder has no record, or that of another command.
        """
        path = folder / RECORD
        if not path.exists():
            check_no_older_run(folder)
            raise RunError(f"{folder}: holds no run; run `axnn train` first")
        _check_kind(folder, read_document(path, dict[str, Any]), cls.kind)
        return read_document(path, cls)

    @property
    def training(self) -> dict[str, Any]:
        """What the trained network depends on."""
        made_by: dict[str, Any] = {"training_plan": self.app.training}
        if self.imported is not None:
            made_by = {"imported_file": self.imported.sha256}
        return {
            "seed": self.seed,
            "network": self.app.network,
            **made_by,
            "data": self.digests.fitted,
            "encoding": self.encoding,
        }

    @property
    def remedy(self) -> str:
        """The command that makes the trained network again."""
        return "`axnn train`" if self.imported is None else "`axnn import`"

    @property
    def approximation(self) -> dict[str, Any]:
        """What everything made from the trained network depends on, besides plans."""
        return {
            "seed": self.seed,
            "engine": self.app.engine,
            "data": self.digests.fitted,
            "encoding": self.encoding,
        }

    @property
    def judgement(self) -> dict[str, Any]:
        """What the evaluation of the networks depends on, besides prices."""
        return {**self.approximation, "test_part": self.digests.test}

    def samples(self, folder: Path) -> DataSet:
        """The data, the same as when the folder's run began.

        Raises
        ------
        RunError
            If the data or their encoding have changed.
        """
        samples = data.load(self.app.data, seed=self.seed)
        if isinstance(self.app.data, OwnData) and self.app.data.unlabelled:
            network, _ = Network.load(folder / NETWORK)
            samples = samples.answered(network.predict)
        if (DataDigests.of(samples), samples.encoding) != (self.digests, self.encoding):
            raise RunError(
                f"{folder}: data set {self.app.data_title} has changed since the run began; "
                f"run {self.remedy} again"
            )
        return samples

    def claim(self, folder: Path) -> None:
        """Write the record, see `claim_folder`."""
        claim_folder(folder, self.kind, self.name, asdict(self))


def claim_folder(folder: Path, kind: str, name: str, document: Mapping[str, Any]) -> None:
    """Write a folder's record, unless the folder belongs to something else.

    Parameters
    ----------
    folder : the folder
    kind : of the record, different for each command that keeps its files in a folder
    name : of the application
    document : everything that the folder's files depend on, including `kind` and `name`

    Raises
    ------
    RunError
        If the folder holds something else, or files of an earlier version.
    """
    path = folder / RECORD
    if path.exists():
        found = read_document(path, dict[str, Any])
        _check_kind(folder, found, kind)
        if found.get("name") != name:
            raise RunError(
                f"{folder}: holds application {found.get('name')!r}, not {name!r}; "
                "choose another folder"
            )
    else:
        check_no_older_run(folder)
    write_document(path, document)


def check_no_older_run(folder: Path) -> None:
    """Refuse a folder with files of a version that did not record what they were made from."""
    if (folder / NETWORK).exists():
        raise RunError(
            f"{folder}: its files do not say what they were made from, since an earlier version "
            "wrote them; delete the folder or choose another"
        )


def _check_kind(folder: Path, record: Mapping[str, Any], kind: str) -> None:
    if record.get("kind") != kind:
        raise RunError(
            f"{folder}: holds files of kind {record.get('kind')!r}, not {kind!r}; "
            "choose another folder"
        )
