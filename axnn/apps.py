"""The applications: each one's data, network, hyper-parameters and engine."""

from dataclasses import dataclass

from axnn.approximate import ApproximationPlan
from axnn.netspec import LayerSpec, NetworkSpec
from axnn.train import TrainingPlan
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class App:
    """One application.

    Attributes
    ----------
    title : for reports
    data : name of the data set
    network : description of the network; its name is the application's
    training : hyper-parameters of the training in floating point
    approximation : of the approximation
    engine : what the network is approximated for
    """

    title: str
    data: str
    network: NetworkSpec
    training: TrainingPlan
    approximation: ApproximationPlan
    engine: EngineConfig

    @property
    def name(self) -> str:
        """The name that the command line knows the application by."""
        return self.network.name


_DIGITS8X8 = App(
    title="Handwritten digits, 8x8",
    data="digits8x8",
    network=NetworkSpec(
        name="digits8x8",
        input_shape=(1, 8, 8),
        layers=(
            # ReLU: its results are read unsigned, and survived 4 bits better than tanh's.
            LayerSpec(kind="dense", channels=32, function="relu"),
            LayerSpec(kind="dense", channels=10, function="identity"),
        ),
    ),
    training=TrainingPlan(epochs=80, batch=32, learning_rate=0.1, weight_decay=3e-4, patience=30),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        retraining=TrainingPlan(
            epochs=40, batch=32, learning_rate=0.05, weight_decay=1e-4, patience=20
        ),
    ),
    engine=EngineConfig(rows=4, cols=4),
)

APPS: dict[str, App] = {app.name: app for app in (_DIGITS8X8,)}
"""Every application by name."""


def find_app(name: str) -> App:
    """The application of this name."""
    if name not in APPS:
        raise ConfigError(f"application must be one of {', '.join(APPS)}, not {name!r}")
    return APPS[name]
