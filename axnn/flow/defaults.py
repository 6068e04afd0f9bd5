"""The default application for the user's data."""

import re
from math import prod

from axnn.approximation.widths import ApproximationPlan
from axnn.data import DataSet, OwnData
from axnn.flow.apps import FAILURES, RATE_FACTORS, App
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.nn.train import TrainingPlan
from qcnpe.spec.config import EngineConfig

_STEPS = 8_000
"""Updates of the weights in a training: enough for small tables to converge and for large ones."""

_FEW_INPUTS, _FEW_CLASSES = 64, 16
"""With more inputs or more classes there are more hidden neurons."""

_MAPS = (16, 32, 64)
"""Channels of the convolutions, each of which halves the picture, down to `_SMALLEST`."""

_SMALLEST = 4
"""Smallest height and width of a map: pictures smaller than twice this are for a perceptron."""

_LARGE = 20_000
"""Most training samples of a trial."""

_OTHER = re.compile(r"[^A-Za-z0-9_]+")


def default_app(own: OwnData, samples: DataSet) -> App:
    """A small network with plans for it.

    Tables are classified by a perceptron with one hidden layer for an engine of 4x4 NCUs, pictures
    by convolutions for one of 16x16.

    Parameters
    ----------
    own : the user's data
    samples : the data set that they become
    """
    name = _OTHER.sub("_", own.name).strip("_").lower() or "own"
    _, height, width = samples.input_shape
    layers = _convolutions(height, width) if _are_pictures(samples) else ()
    inputs, classes = prod(samples.input_shape), len(samples.classes)
    is_small = inputs <= _FEW_INPUTS and classes <= _FEW_CLASSES
    hidden = LayerSpec(kind="dense", channels=32 if is_small else 64, function="relu")
    logits = LayerSpec(kind="dense", channels=classes, function="identity")
    return App(
        title=own.name,
        data=own,
        network=NetworkSpec(
            name=name, input_shape=samples.input_shape, layers=(*layers, hidden, logits)
        ),
        training=default_training(samples),
        approximation=default_approximation(samples),
        engine=default_engine(samples),
    )


def default_training(samples: DataSet) -> TrainingPlan:
    """A plan that trains small networks on these samples, large or small sets of them."""
    rate, batch = _rate_and_batch(samples)
    epochs = min(max(_STEPS * batch // len(samples.train), 10), 200)
    return TrainingPlan(
        epochs=epochs,
        batch=batch,
        learning_rate=rate,
        weight_decay=1e-4,
        patience=max(epochs // 3, 5),
    )


def default_approximation(samples: DataSet) -> ApproximationPlan:
    """A plan that approximates networks for these samples, within 0.5 percentage points.

    It is the applications' method, with retrainings of a quarter of the training's length.
    """
    rate, batch = _rate_and_batch(samples)
    epochs = max(default_training(samples).epochs // 4, 2)
    return ApproximationPlan(
        bound_percent=0.5,
        start="ladder",
        failures=FAILURES,
        rate_factors=RATE_FACTORS,
        long_epochs=2 * epochs,
        share=1.0,
        rounds=2,
        smallest_share=0.0625,
        samples=_LARGE if len(samples.train) > _LARGE else None,
        retraining=TrainingPlan(
            epochs=epochs, batch=batch, learning_rate=rate / 2, weight_decay=1e-4
        ),
    )


def default_engine(samples: DataSet) -> EngineConfig:
    """An engine of 16x16 NCUs (neural compute units) for pictures, of 4x4 for tables."""
    return EngineConfig() if _are_pictures(samples) else EngineConfig(rows=4, cols=4)


def _rate_and_batch(samples: DataSet) -> tuple[float, int]:
    return (0.02, 64) if _are_pictures(samples) or samples.quantity else (0.1, 32)


def _are_pictures(samples: DataSet) -> bool:
    return min(samples.input_shape[1:]) >= 2 * _SMALLEST


def _convolutions(height: int, width: int) -> tuple[LayerSpec, ...]:
    """Convolutions of 3x3, each of which halves the picture."""
    layers = []
    for channels in _MAPS:
        if min(height, width) < 2 * _SMALLEST:
            break
        height, width = height // 2, width // 2
        layers.append(
            LayerSpec(
                kind="convolution",
                channels=channels,
                kernel=(3, 3),
                padding=(1, 1),
                pool=(2, 2),
                function="relu",
            )
        )
    return tuple(layers)
