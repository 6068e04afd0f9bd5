"""The applications: each one's data, network, hyper-parameters and engine."""

from dataclasses import dataclass

from axnn.approximation.widths import ApproximationPlan
from axnn.data import OwnData
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from axnn.nn.train import TrainingPlan
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class App:
    """One application.

    Attributes
    ----------
    title : for reports
    data : name of a built-in data set, or the user's own
    network : description of the network; its name is the application's
    training : hyper-parameters of the training in floating point
    approximation : how the network is approximated for the engine
    engine : what the network is approximated for
    """

    title: str
    data: str | OwnData
    network: NetworkSpec
    training: TrainingPlan
    approximation: ApproximationPlan
    engine: EngineConfig

    @property
    def name(self) -> str:
        """The name that the command line knows the application by."""
        return self.network.name

    @property
    def data_title(self) -> str:
        """The name of the data for reports."""
        return self.data if isinstance(self.data, str) else self.data.path


def lenet(name: str, *, classes: int = 10) -> NetworkSpec:
    """LeNet-5 for grey pictures of 32x32 pixels; every map of C3 reads every map of S2.

    ReLU replaces the squashing functions: its results are unsigned, which gains one bit.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """
    return NetworkSpec(
        name=name,
        input_shape=(1, 32, 32),
        layers=(
            LayerSpec(kind="convolution", channels=6, kernel=(5, 5), function="relu"),
            LayerSpec(kind="subsampling", kernel=(2, 2), function="relu"),
            LayerSpec(kind="convolution", channels=16, kernel=(5, 5), function="relu"),
            LayerSpec(kind="subsampling", kernel=(2, 2), function="relu"),
            LayerSpec(kind="dense", channels=120, function="relu"),
            LayerSpec(kind="dense", channels=classes, function="identity"),
        ),
    )


def resnet8(name: str, *, classes: int = 10) -> NetworkSpec:
    """ResNet-8 for pictures of 32x32 pixels: three residual blocks, then the global average.

    Source: C. Banbury et al., MLPerf Tiny benchmark, 2021.
    """

    def convolution(
        channels: int, stride: int = 1, shortcut: SourceSpec | None = None
    ) -> LayerSpec:
        return LayerSpec(
            kind="convolution",
            channels=channels,
            kernel=(3, 3),
            stride=(stride, stride),
            padding=(1, 1),
            function="relu",
            adds=() if shortcut is None else (shortcut,),
            batch_norm=True,
        )

    def projection(layer: int) -> SourceSpec:
        return SourceSpec(layer=layer, kind="convolution", stride=(2, 2))

    return NetworkSpec(
        name=name,
        input_shape=(3, 32, 32),
        layers=(
            convolution(16),
            convolution(16),
            convolution(16, shortcut=SourceSpec(layer=0)),
            convolution(32, stride=2),
            convolution(32, shortcut=projection(2)),
            convolution(64, stride=2),
            convolution(64, shortcut=projection(4)),
            LayerSpec(kind="average", kernel=(8, 8), function="identity"),
            LayerSpec(kind="dense", channels=classes, function="identity"),
        ),
    )


def perceptron(name: str, *, inputs: int, hidden: int, classes: int) -> NetworkSpec:
    """A network with one hidden layer."""
    return NetworkSpec(
        name=name,
        input_shape=(inputs, 1, 1),
        layers=(
            LayerSpec(kind="dense", channels=hidden, function="relu"),
            LayerSpec(kind="dense", channels=classes, function="identity"),
        ),
    )


RATE_FACTORS = (0.25, 1.0, 4.0)
"""Multiples of a plan's learning rate that are tried at each width."""

FAILURES = 2
"""Trials that fail one after another, after which the loop ends."""

_DIGITS8X8 = App(
    title="Handwritten digits, 8x8",
    data="digits8x8",
    network=NetworkSpec(
        name="digits8x8",
        input_shape=(1, 8, 8),
        layers=(
            # ReLU: its results are unsigned, and lost less accuracy at 4 bits than tanh's.
            LayerSpec(kind="dense", channels=32, function="relu"),
            LayerSpec(kind="dense", channels=10, function="identity"),
        ),
    ),
    training=TrainingPlan(epochs=80, batch=32, learning_rate=0.1, weight_decay=3e-4, patience=30),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=60,
        rounds=2,
        # The validation part is small: many trials would find some that hold the bound by chance.
        smallest_share=0.125,
        retraining=TrainingPlan(
            epochs=40, batch=32, learning_rate=0.05, weight_decay=1e-4, patience=40
        ),
    ),
    engine=EngineConfig(rows=4, cols=4),
)

# The LeNets' learning rates are low, since higher ones leave dead maps: a map that ReLU keeps at
# zero tolerates any approximation, and would make the saving look too large.
_DIGITS = App(
    title="Handwritten digits",
    data="mnist",
    network=lenet("digits"),
    training=TrainingPlan(
        epochs=20, batch=64, learning_rate=0.02, weight_decay=1e-4, patience=6, shift_pixels=1
    ),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=8,
        share=1.0,
        rounds=2,
        smallest_share=0.0625,
        samples=10_000,
        retraining=TrainingPlan(
            epochs=4, batch=64, learning_rate=0.005, weight_decay=1e-4, shift_pixels=1
        ),
    ),
    engine=EngineConfig(),
)

_GARMENTS = App(
    title="Garments",
    data="fashion_mnist",
    network=lenet("garments"),
    training=TrainingPlan(
        epochs=25, batch=64, learning_rate=0.02, weight_decay=1e-4, patience=6, flip=True
    ),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=8,
        # It needs a second backward pass, but saves a fifth more at 0.5 percentage points.
        criterion="logits",
        share=1.0,
        rounds=2,
        smallest_share=0.0625,
        samples=10_000,
        retraining=TrainingPlan(
            epochs=4, batch=64, learning_rate=0.002, weight_decay=1e-4, flip=True
        ),
    ),
    engine=EngineConfig(),
)

_FACES = App(
    title="Face or not",
    data="faces",
    network=lenet("faces", classes=2),
    training=TrainingPlan(
        epochs=60,
        batch=32,
        learning_rate=0.01,
        weight_decay=5e-4,
        patience=12,
        shift_pixels=3,
        flip=True,
    ),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=24,
        share=1.0,
        rounds=3,
        smallest_share=0.0625,
        retraining=TrainingPlan(
            epochs=8, batch=32, learning_rate=0.01, weight_decay=5e-4, shift_pixels=3, flip=True
        ),
    ),
    engine=EngineConfig(),
)

_CENSUS = App(
    title="Income from a census",
    data="adult",
    network=perceptron("census", inputs=14, hidden=10, classes=2),
    training=TrainingPlan(epochs=60, batch=64, learning_rate=0.1, patience=15),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=30,
        share=1.0,
        rounds=3,
        smallest_share=0.0625,
        retraining=TrainingPlan(epochs=15, batch=64, learning_rate=0.05, patience=8),
    ),
    engine=EngineConfig(),
)

_LETTERS = App(
    title="Capital letters",
    data="letter",
    network=perceptron("letters", inputs=16, hidden=64, classes=26),
    training=TrainingPlan(epochs=150, batch=32, learning_rate=0.1, patience=40),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=120,
        share=1.0,
        rounds=2,
        smallest_share=0.0625,
        # Tiles at 4 bits take long to recover.
        retraining=TrainingPlan(epochs=80, batch=32, learning_rate=0.1, patience=80),
    ),
    engine=EngineConfig(),
)

_OBJECTS = App(
    title="Objects",
    data="cifar10",
    network=NetworkSpec(
        name="objects",
        input_shape=(3, 32, 32),
        layers=(
            *(
                LayerSpec(
                    kind="convolution",
                    channels=channels,
                    kernel=(3, 3),
                    padding=(1, 1),
                    pool=(2, 2),
                    function="relu",
                    dropout=dropout,
                    batch_norm=True,
                )
                for channels, dropout in ((32, 0.0), (64, 0.0), (128, 0.25))
            ),
            LayerSpec(kind="dense", channels=128, function="relu", dropout=0.5),
            LayerSpec(kind="dense", channels=10, function="identity"),
        ),
    ),
    training=TrainingPlan(
        epochs=24,
        batch=64,
        learning_rate=0.03,
        weight_decay=5e-4,
        patience=8,
        shift_pixels=3,
        flip=True,
    ),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        rungs=8,
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=6,
        share=1.0,
        rounds=2,
        smallest_share=0.0625,
        samples=12_000,
        retraining=TrainingPlan(
            epochs=2, batch=64, learning_rate=0.003, weight_decay=5e-4, shift_pixels=3, flip=True
        ),
    ),
    engine=EngineConfig(),
)

_RESNET8 = App(
    title="Objects, by a residual network",
    data="cifar10",
    network=resnet8("resnet8"),
    training=TrainingPlan(
        epochs=40,
        batch=128,
        learning_rate=0.1,
        weight_decay=5e-4,
        patience=40,
        shift_pixels=4,
        flip=True,
    ),
    approximation=ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        rungs=8,
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=4,
        share=1.0,
        rounds=2,
        smallest_share=0.0625,
        samples=10_000,
        retraining=TrainingPlan(
            epochs=2, batch=128, learning_rate=0.005, weight_decay=5e-4, shift_pixels=4, flip=True
        ),
    ),
    engine=EngineConfig(),
)

APPS: dict[str, App] = {
    app.name: app
    for app in (
        _DIGITS8X8,
        _DIGITS,
        _OBJECTS,
        _GARMENTS,
        _FACES,
        _CENSUS,
        _LETTERS,
        _RESNET8,
    )
}
"""Every application by name."""


def find_app(name: str) -> App:
    """The application of this name."""
    if name not in APPS:
        raise ConfigError(f"application must be one of {', '.join(APPS)}, not {name!r}")
    return APPS[name]
