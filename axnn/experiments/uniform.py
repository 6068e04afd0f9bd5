"""Controls: every neuron at the same width, with the same retraining as the AxNN had."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.loop import Approximation
from axnn.approximation.widths import ApproximationPlan, Trial, histogram, integer_accuracy
from axnn.data import DataSet
from axnn.nn.network import Network
from axnn.nn.retrain import retrain
from axnn.nn.train import Epoch, TrainingPlan
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import Precision, QuantisedNetwork, uniform_precision
from qcnpe.spec.config import OPERAND_BITS


def same_budget(axnn: Approximation, training_samples: int) -> TrainingPlan:
    """A retraining that sees as many samples as the steps did that led to an AxNN.

    Parameters
    ----------
    axnn : the approximation whose kept steps' retrainings count
    training_samples : in the training part
    """
    plan = axnn.plan
    seen = min(plan.samples or training_samples, training_samples)
    rounds = sum(step.rounds for step in axnn.trials if step.kept)
    epochs = max(1, ceil(rounds * plan.retraining.epochs * seen / training_samples))
    return replace(plan.retraining, epochs=epochs, patience=epochs)


def approximate_uniformly(
    network: Network,
    data: DataSet,
    counter: EventCounter,
    retraining: TrainingPlan,
    *,
    width: int,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Approximation:
    """Lower every neuron to one width at once and retrain.

    At 16 bits it is the exact network with more training: what retraining alone gives.

    Parameters
    ----------
    network : the trained network; it ends with the retrained weights
    data : its training part is fitted, its validation part picks the epoch; its test part is not
        read
    counter : the engine, and what counts its events
    retraining : hyper-parameters
    width : in bits
    seed : of the order of the samples
    checkpoint : file that is written after each epoch and, if it exists, resumed from
    on_epoch : called after each epoch
    """
    config, judge = counter.config, data.validation
    exact_widths, widths = (uniform_precision(network, each) for each in (OPERAND_BITS, width))
    scales = calibrate(network, data.train.inputs, exact_widths, config)
    exact = to_integers(network, scales, exact_widths, config)
    scales = calibrate(network, data.train.inputs, widths, config)
    lowered = to_integers(network, scales, widths, config)
    model = QuantisedNetwork(network, scales, widths, config)
    retrain(model, data, retraining, seed=seed, checkpoint=checkpoint, on_epoch=on_epoch)
    retrained = to_integers(network, scales, widths, config)
    quality = integer_accuracy(exact, judge)
    before, after = integer_accuracy(lowered, judge), integer_accuracy(retrained, judge)
    return Approximation(
        plan=ApproximationPlan(bound_percent=99.0, retraining=retraining),
        exact=exact,
        axnn=retrained,
        trials=(
            _step(0, exact_widths, quality, quality, counter.count(exact)),
            _step(1, widths, before, after, counter.count(retrained)),
        ),
    )


def _step(
    number: int, widths: Precision, before: float, after: float, events: dict[str, int]
) -> Trial:
    """The exact network as step 0, or the lowering of all neurons as step 1."""
    return Trial(
        number=number,
        share=float(number),
        lowered=number * sum(entry.size for entry in widths),
        before_retraining=before,
        accuracy=after,
        events=events,
        histogram=histogram(widths),
        kept=True,
        rounds=number,
    )
