"""What the loop lowers for an engine: the width of tiles of neurons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp, log
from pathlib import Path

import numpy as np

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.resilience import Scores, characterize, check_criterion
from axnn.approximation.search import (
    Frozen,
    Levels,
    OnEpoch,
    Outcome,
    SearchPlan,
    Unit,
    take_share,
)
from axnn.approximation.tiles import UNITS, form_layers, form_tiles, lower
from axnn.data import DataSet, Split
from axnn.errors import DivergenceError
from axnn.nn.network import Network
from axnn.nn.retrain import retrain
from axnn.nn.train import Epoch, TrainingPlan
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import Precision, QuantisedNetwork, Scales, uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet

STARTS = ("exact", "ladder")
"""Where the loop begins: with the exact network, as in the paper, or between networks of one width,
see `axnn.approximation.ladder`."""

STAGES = ("exact", "rate", "uniform", "start", "ladder", "lower", "long")
"""What a trial is part of: the exact network; a learning rate that is tried; a network of one
width; the network that the ladder begins with; its rungs; the loop; the long retraining."""


@dataclass(frozen=True, kw_only=True)
class ApproximationPlan(SearchPlan):
    """How to approximate for an engine; see `SearchPlan`.

    Attributes
    ----------
    criterion : one of `resilience.CRITERIA`
    unit : what is lowered together, one of `tiles.UNITS`
    start : where the loop begins, one of `STARTS`
    rungs : of a ladder, that are tried by halving, and one more; the loop that begins there lowers
        at first as much as a rung does
    failures : so many trials of the loop that fail one after another end it; None: no number does
    rate_factors : multiples of the retraining's learning rate that are tried at each width: the
        best on validation is used
    long_epochs : epochs of the long retraining, with all training samples, of what the loop has
        lowered; the loop goes on once from there; 0: none
    """

    criterion: str = "quantisation"
    unit: str = "tile"
    start: str = "exact"
    rungs: int = 16
    failures: int | None = None
    rate_factors: tuple[float, ...] = (1.0,)
    long_epochs: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_criterion(self.criterion)
        if self.unit not in UNITS:
            raise ConfigError(f"unit must be {' or '.join(UNITS)}, not {self.unit!r}")
        if self.start not in STARTS:
            raise ConfigError(f"start must be {' or '.join(STARTS)}, not {self.start!r}")
        if self.rungs < 1:
            raise ConfigError(f"rungs must be at least 1, not {self.rungs}")
        if self.failures is not None and self.failures < 1:
            raise ConfigError(f"failures must be at least 1, not {self.failures}")
        if not self.rate_factors or min(self.rate_factors) <= 0:
            raise ConfigError(f"rate_factors must be positive numbers, not {self.rate_factors}")
        if self.long_epochs < 0:
            raise ConfigError(f"long_epochs must be 0 or more, not {self.long_epochs}")

    @property
    def needs_uniform(self) -> bool:
        """Whether it begins with the networks of one width, or takes learning rates from them."""
        return self.start == "ladder" or len(self.rate_factors) > 1

    @property
    def later_share(self) -> float:
        """Of what can be lowered, how much a trial lowers after the ladder or a long retraining.

        Twice as much is known to fail, or a rung.
        """
        return min(self.share / 2, 1 / self.rungs) if self.start == "ladder" else self.share / 2

    @property
    def long_retraining(self) -> TrainingPlan:
        """Hyper-parameters of the long retraining."""
        epochs = self.long_epochs or self.retraining.epochs
        return replace(self.retraining, epochs=epochs, patience=epochs)

    @property
    def of_uniform(self) -> "ApproximationPlan":
        """What networks of one width depend on: the same for all bounds and criteria."""
        return ApproximationPlan(
            bound_percent=0.0,
            retraining=self.retraining,
            samples=self.samples,
            rate_factors=self.rate_factors,
            long_epochs=self.long_epochs,
        )


@dataclass(frozen=True)
class Trial:
    """One trial of the loop, or the exact network before it.

    Attributes
    ----------
    number : counted from 0, the exact network
    share : of the movable neurons that was to be lowered
    lowered : neurons that were lowered, in whole tiles
    before_retraining, accuracy : fraction right on validation, of the integer network
    events : what happens in the engine for `event_counter.PROGRAM_BATCH` samples
    histogram : neurons by width
    kept : whether the bound held
    rounds : how often it was retrained
    stage : one of `STAGES`
    learning_rate : of the retraining, at its start
    passes : over the whole training part, in all its retrainings
    """

    number: int
    share: float
    lowered: int
    before_retraining: float
    accuracy: float
    events: dict[str, int]
    histogram: dict[str, int]
    kept: bool
    rounds: int
    stage: str = "lower"
    learning_rate: float = 0.0
    passes: float = 0.0


def histogram(precision: Precision) -> dict[str, int]:
    """Number of neurons by width, widest first."""
    widths, counts = np.unique(
        np.concatenate([entry.reshape(-1) for entry in precision]), return_counts=True
    )
    pairs = zip(widths[::-1].tolist(), counts[::-1].tolist(), strict=True)
    return {str(width): count for width, count in pairs}


def one_width(precision: Precision) -> int:
    """The width of all neurons."""
    (width,) = histogram(precision)
    return int(width)


def integer_accuracy(net: QuantNet, split: Split) -> float:
    """Quality of the network in integers on a split, as the split's task has it."""
    results = infer(net, net.quantize_inputs(split.inputs))
    return split.task.quality(net.real_outputs(results), split.labels)


_CALIBRATION_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class WidthPoint:
    """A network, the width of each of its neurons, and the scales for them.

    Attributes
    ----------
    network : in floating point; nothing changes its weights
    precision, scales : as `axnn.quantisation` reads them
    config : the engine
    """

    network: Network
    precision: Precision
    scales: Scales
    config: EngineConfig

    @cached_property
    def integers(self) -> QuantNet:
        """The network as the engine computes it."""
        return to_integers(self.network, self.scales, self.precision, self.config)

    def at(self, precision: Precision) -> "WidthPoint":
        """The same weights and scales at other widths."""
        return replace(self, precision=precision)

    @property
    def macs_per_neuron(self) -> tuple[float, ...]:
        """Multiplications of a neuron of each layer."""
        geometries = [layer.geometry for layer in self.network.neuron_layers]
        return tuple(each.macs / (each.channels * each.outputs) for each in geometries)

    @property
    def mean_width(self) -> float:
        """Mean width of a multiplication, in bits: what it costs, without prices."""
        pairs = list(zip(self.macs_per_neuron, self.precision, strict=True))
        bits = sum(weight * float(widths.sum()) for weight, widths in pairs)
        return bits / sum(weight * widths.size for weight, widths in pairs)


class WidthTarget:
    """Networks for one engine, from exact 16 bits down to the engine's narrowest width.

    Parameters
    ----------
    network : the trained network; it stays as it is
    data : its training part calibrates, its validation part judges
    plan : the criterion, the unit and the retraining
    counter : the engine, and what counts its events

    Attributes
    ----------
    rates : learning rate of the retraining by width; the plan's for the others
    """

    def __init__(
        self, network: Network, data: DataSet, plan: ApproximationPlan, counter: EventCounter
    ) -> None:
        self.rates: dict[int, float] = {}
        self._passes = 0.0
        self._network = network.copy()
        self._data = data
        self._plan = plan
        self._counter = counter
        self._calibration = data.train.draw(plan.samples, seed=_CALIBRATION_SEED)
        self._config = counter.config

    @property
    def size(self) -> int:
        """Neurons of the network."""
        return sum(widths.size for widths in self.exact.precision)

    @cached_property
    def exact(self) -> WidthPoint:
        """The network with every neuron at 16 bits."""
        return self.calibrated(self._network, uniform_precision(self._network, OPERAND_BITS))

    def calibrated(self, network: Network, precision: Precision) -> WidthPoint:
        """A network at these widths, with scales for them.

        Where trials see a part of the samples, so does the calibration: ranges keep a bit of
        headroom, and a look at all samples would take longer than the retraining.
        """
        scales = calibrate(network, self._calibration.inputs, precision, self._config)
        return WidthPoint(network=network, precision=precision, scales=scales, config=self._config)

    def draw_training(self, samples: int | None, *, seed: int) -> Split:
        """So many training samples; None: all."""
        return self._data.train.draw(samples, seed=seed)

    def opening(self, point: WidthPoint) -> None:
        """The loop begins with its units at once."""

    def score(self, point: WidthPoint, frozen: Frozen, train: Split, *, seed: int) -> list[Unit]:
        """Tiles that can be lowered, the least significant first."""
        lowest = min(self._config.precisions)
        if not any(
            ((widths > lowest) & ~fixed).any()
            for widths, fixed in zip(point.precision, frozen, strict=True)
        ):
            return []
        model = QuantisedNetwork(point.network, point.scales, point.precision, self._config)
        name = self._plan.criterion
        scores = characterize(model, train, self._config, seed=seed, criteria=(name,))[name]
        return self.form(scores, point.precision, frozen)

    def form(self, scores: Scores, precision: Precision, frozen: Frozen) -> list[Unit]:
        """Tiles, or layers, of all that can be lowered, the least significant first."""
        if self._plan.unit == "layer":
            return form_layers(scores, precision, frozen, self._config)
        geometries = [layer.geometry for layer in self.exact.network.neuron_layers]
        return form_tiles(scores, precision, frozen, geometries, self._config)

    def take(self, units: Sequence[Unit], share: float) -> list[Unit]:
        """Tiles that hold this share of the neurons, rounded up to whole tiles."""
        return take_share(units, share)

    def lower(self, point: WidthPoint, units: Sequence[Unit]) -> WidthPoint:
        """The same weights with these tiles one width down, calibrated anew."""
        return self.calibrated(point.network, lower(point.precision, units, self._config))

    def levels(self, point: WidthPoint) -> Levels:
        """The width of each neuron."""
        return point.precision

    def retrain(
        self, point: WidthPoint, data: DataSet, *, seed: int, on_epoch: OnEpoch | None
    ) -> WidthPoint:
        """The point with its weights retrained through the quantised network."""
        return self.retrain_by(self._plan.retraining, point, data, seed=seed, on_epoch=on_epoch)

    def retrain_by(
        self,
        plan: TrainingPlan,
        point: WidthPoint,
        data: DataSet,
        *,
        seed: int,
        checkpoint: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> WidthPoint:
        """The same by a plan, with the learning rate for the widths; as it was if that diverges."""
        network = point.network.copy()
        model = QuantisedNetwork(network, point.scales, point.precision, self._config)

        def tell(epoch: Epoch) -> None:
            self._passes += len(data.train) / len(self._data.train)
            if on_epoch is not None:
                on_epoch(epoch)

        rate = self.learning_rate(point.precision)
        plan = replace(plan, learning_rate=rate)
        try:
            retrain(model, data, plan, seed=seed, checkpoint=checkpoint, on_epoch=tell)
        except DivergenceError:
            return point
        return replace(point, network=network)

    def learning_rate(self, precision: Precision) -> float:
        """The geometric mean of the rates for the neurons' widths."""
        counts = histogram(precision)
        plan_rate = self._plan.retraining.learning_rate
        logarithms = [
            count * log(self.rates.get(int(width), plan_rate)) for width, count in counts.items()
        ]
        mean = exp(sum(logarithms) / sum(counts.values()))
        return float(f"{mean:.6g}")  # of equal rates: that rate

    def restore(
        self,
        point: WidthPoint,
        *,
        seed: int,
        checkpoint: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> tuple[WidthPoint, float]:
        """The long retraining; the point itself, if that does not improve it.

        Parameters
        ----------
        point : what is retrained, at its widths
        seed : of the order of the samples
        checkpoint : file that is written after each epoch and, if it exists, resumed from
        on_epoch : called after each epoch

        Returns
        -------
        point and accuracy on validation.
        """
        found = self.retrain_by(
            self._plan.long_retraining,
            point,
            self._data,
            seed=seed,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )
        best = max((point, found), key=self.accuracy)
        return best, self.accuracy(best)

    def accuracy(self, point: WidthPoint) -> float:
        """Fraction of the validation part that the network in integers classifies right."""
        return integer_accuracy(point.integers, self._data.validation)

    def cost(self, point: WidthPoint, outcome: Outcome) -> Trial:
        """The trial's record with what happens in the engine, and the neurons by width."""
        passes, self._passes = self._passes, 0.0
        return Trial(
            number=outcome.number,
            share=outcome.share,
            lowered=outcome.lowered,
            before_retraining=outcome.before_retraining,
            accuracy=outcome.accuracy,
            events=self._counter.count(point.integers),
            histogram=histogram(point.precision),
            kept=outcome.kept,
            rounds=outcome.rounds,
            stage=outcome.stage,
            learning_rate=self.learning_rate(point.precision) if outcome.rounds else 0.0,
            passes=round(passes, 3),
        )
