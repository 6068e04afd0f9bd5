"""Retraining with an approximation in place, whatever the approximation is."""

from collections.abc import Callable
from pathlib import Path

from axnn.data import DataSet
from axnn.nn.network import LayerStack
from axnn.nn.train import Epoch, TrainingPlan, train, validate


def retrain(
    model: LayerStack,
    data: DataSet,
    plan: TrainingPlan,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[float, float]:
    """Retrain in place; if that does not improve the accuracy, restore the weights.

    The parameters are those of `axnn.nn.train.train`.

    Returns
    -------
    accuracies on the validation part, before and after.
    """
    before = model.state()
    loss, quality = validate(model, data.validation)
    best = train(model, data, plan, seed=seed, checkpoint=checkpoint, on_epoch=on_epoch).best
    if best.rank < (quality, -loss):
        model.set_state(before)
        return quality, quality
    return quality, best.validation_accuracy
