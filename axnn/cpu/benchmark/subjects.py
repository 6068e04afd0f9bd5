"""The subjects of the benchmark: the applications with squashing neurons, and a perceptron (MLP).

The applications' own networks use ReLU, which takes a processor almost no time. The paper replaces
squashing neurons by piecewise-linear ones, which can only be shown on networks that have squashing
neurons. Every application is therefore trained again with tanh in place of ReLU, with the same
data, split and layers.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from axnn import data
from axnn.data import DataSet, OwnData, Split
from axnn.flow.ancestry import Ancestry
from axnn.flow.apps import APPS, App
from axnn.flow.lock import lock_folder
from axnn.flow.notes import TrainingNotes
from axnn.flow.record import claim_folder
from axnn.flow.steps import train_into
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.nn.train import Epoch, TrainingPlan
from qcnpe.spec.errors import ConfigError

_RECORD_KIND = "axnn-speed-1"
NETWORK = "network.npz"
"""File of the trained network in the folder of a subject."""

_BORDER = 2
"""Width in pixels of the border that the loader adds to MNIST's 28x28 pictures for LeNet."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network with squashing neurons, its data and its training.

    Attributes
    ----------
    title : for reports
    data : name of the data set
    network : description of the network; its name is the subject's
    training : hyper-parameters of the training
    retraining : of the retraining after each trial of the approximation
    border : number of pixels that are cut off on each side of a sample
    retraining_samples : training samples of an epoch of the retraining; None for all
    trials : most trials of the approximation for each bound
    """

    title: str
    data: str | OwnData
    network: NetworkSpec
    training: TrainingPlan
    retraining: TrainingPlan
    border: int = 0
    retraining_samples: int | None = None
    trials: int = 8

    @property
    def name(self) -> str:
        """The name that the command line knows the subject by."""
        return self.network.name

    def load(self, seed: int) -> DataSet:
        """The data, split by this seed in the same way as for the engine."""
        found = data.load(self.data, seed=seed)
        if not self.border:
            return found
        return replace(
            found,
            train=self._crop(found.train),
            validation=self._crop(found.validation),
            test=self._crop(found.test),
        )

    def _crop(self, split: Split) -> Split:
        kept = slice(self.border, -self.border)
        return replace(split, inputs=np.ascontiguousarray(split.inputs[:, :, kept, kept]))


def squashing(network: NetworkSpec) -> NetworkSpec:
    """The same network with tanh in place of ReLU, whose sums need no normalisation."""
    layers = tuple(
        replace(layer, function="tanh") if layer.function == "relu" else layer
        for layer in network.folded.layers
    )
    return replace(network, layers=layers)


def _of_app(
    app: App,
    *,
    epochs: int,
    retraining: int,
    learning_rate: float,
    retraining_samples: int | None = None,
    trials: int = 8,
) -> Subject:
    """An application with squashing neurons; its plans have other epochs and learning rates."""
    training = replace(app.training, epochs=epochs, learning_rate=learning_rate)
    retrain_plan = replace(
        app.approximation.retraining, epochs=retraining, learning_rate=learning_rate / 2
    )
    return Subject(
        title=app.title,
        data=app.data,
        network=squashing(app.network),
        training=training,
        retraining=retrain_plan,
        retraining_samples=retraining_samples,
        trials=trials,
    )


_MLP = Subject(
    title="Handwritten digits, 784-128-10",
    data="mnist",
    network=NetworkSpec(
        name="mlp",
        input_shape=(1, 28, 28),
        layers=(
            LayerSpec(kind="dense", channels=128, function="tanh"),
            LayerSpec(kind="dense", channels=10, function="identity"),
        ),
    ),
    training=TrainingPlan(epochs=15, batch=64, learning_rate=0.05, weight_decay=1e-4),
    retraining=TrainingPlan(epochs=2, batch=64, learning_rate=0.02, weight_decay=1e-4),
    border=_BORDER,
    trials=5,
)

SUBJECTS: dict[str, Subject] = {
    "digits": _of_app(
        APPS["digits"],
        epochs=10,
        retraining=2,
        learning_rate=0.02,
        retraining_samples=8_000,
        trials=4,
    ),
    "objects": _of_app(
        APPS["objects"],
        epochs=8,
        retraining=1,
        learning_rate=0.01,
        retraining_samples=4_000,
        trials=2,
    ),
    "garments": _of_app(
        APPS["garments"],
        epochs=12,
        retraining=2,
        learning_rate=0.02,
        retraining_samples=8_000,
        trials=4,
    ),
    "faces": _of_app(APPS["faces"], epochs=30, retraining=2, learning_rate=0.01),
    "census": _of_app(APPS["census"], epochs=30, retraining=6, learning_rate=0.1),
    "letters": _of_app(APPS["letters"], epochs=80, retraining=15, learning_rate=0.1),
    "mlp": _MLP,
}
"""Every subject by name: the six applications, and the network 784-128-10."""


def find_subject(name: str) -> Subject:
    """The subject of this name."""
    if name not in SUBJECTS:
        raise ConfigError(f"application must be one of {', '.join(SUBJECTS)}, not {name!r}")
    return SUBJECTS[name]


def train_subject(
    subject: Subject,
    samples: DataSet,
    folder: Path,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Network:
    """The trained network: read from `folder`/network.npz, or trained and written there.

    An interrupted training is resumed.

    Raises
    ------
    RunError
        If the folder belongs to something else, or is in use.
    """
    path = folder / NETWORK
    record = {"kind": _RECORD_KIND, "name": subject.name, "seed": seed, "subject": asdict(subject)}
    values = {"seed": seed, "data": samples.digest}
    with lock_folder(folder):
        claim_folder(folder, _RECORD_KIND, subject.name, record)
        spec, plan = subject.network, subject.training
        made_from = Ancestry.of(path, (), network=spec, training_plan=plan, **values)
        if not (path.exists() and TrainingNotes.ancestry(path) == made_from):
            train_into(path, spec, samples, plan, seed=seed, made_from=made_from, on_epoch=on_epoch)
        made_from.unfinished(path, "training").unlink(missing_ok=True)
    return Network.load(path)[0]
