"""What the loop lowers for an engine: the width of tiles of neurons."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.resilience import characterize, check_criterion
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
from axnn.nn.network import Network
from axnn.nn.retrain import retrain
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import Precision, QuantisedNetwork, Scales, uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet


@dataclass(frozen=True, kw_only=True)
class ApproximationPlan(SearchPlan):
    """How to approximate for an engine; see `SearchPlan`.

    Attributes
    ----------
    criterion : one of `resilience.CRITERIA`
    unit : what is lowered together, one of `tiles.UNITS`
    """

    criterion: str = "quantisation"
    unit: str = "tile"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_criterion(self.criterion)
        if self.unit not in UNITS:
            raise ConfigError(f"unit must be {' or '.join(UNITS)}, not {self.unit!r}")


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


def histogram(precision: Precision) -> dict[str, int]:
    """Number of neurons by width, widest first."""
    widths, counts = np.unique(
        np.concatenate([entry.reshape(-1) for entry in precision]), return_counts=True
    )
    pairs = zip(widths[::-1].tolist(), counts[::-1].tolist(), strict=True)
    return {str(width): count for width, count in pairs}


def integer_accuracy(net: QuantNet, split: Split) -> float:
    """Quality of the network in integers on a split, as the split's task has it."""
    results = infer(net, net.quantize_inputs(split.inputs))
    return split.task.quality(net.real_outputs(results), split.labels)


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


class WidthTarget:
    """Networks for one engine, from exact 16 bits down to the engine's narrowest width.

    Parameters
    ----------
    network : the trained network; it stays as it is
    data : its training part calibrates, its validation part judges
    plan : the criterion, the unit and the retraining
    counter : the engine, and what counts its events
    """

    def __init__(
        self, network: Network, data: DataSet, plan: ApproximationPlan, counter: EventCounter
    ) -> None:
        self._network = network.copy()
        self._data = data
        self._plan = plan
        self._counter = counter
        self._config = counter.config

    @property
    def size(self) -> int:
        """Neurons of the network."""
        return sum(widths.size for widths in self.exact.precision)

    @cached_property
    def exact(self) -> WidthPoint:
        """The network with every neuron at 16 bits."""
        return self._point(self._network, uniform_precision(self._network, OPERAND_BITS))

    def _point(self, network: Network, precision: Precision) -> WidthPoint:
        scales = calibrate(network, self._data.train.inputs, precision, self._config)
        return WidthPoint(network=network, precision=precision, scales=scales, config=self._config)

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
        if self._plan.unit == "layer":
            return form_layers(scores, point.precision, frozen, self._config)
        geometries = [layer.geometry for layer in point.network.neuron_layers]
        return form_tiles(scores, point.precision, frozen, geometries, self._config)

    def take(self, units: Sequence[Unit], share: float) -> list[Unit]:
        """Tiles that hold this share of the neurons, rounded up to whole tiles."""
        return take_share(units, share)

    def lower(self, point: WidthPoint, units: Sequence[Unit]) -> WidthPoint:
        """The same weights with these tiles one width down, calibrated anew."""
        return self._point(point.network, lower(point.precision, units, self._config))

    def levels(self, point: WidthPoint) -> Levels:
        """The width of each neuron."""
        return point.precision

    def retrain(
        self, point: WidthPoint, data: DataSet, *, seed: int, on_epoch: OnEpoch | None
    ) -> WidthPoint:
        """The point with its weights retrained through the quantised network."""
        network = point.network.copy()
        model = QuantisedNetwork(network, point.scales, point.precision, self._config)
        retrain(model, data, self._plan.retraining, seed=seed, on_epoch=on_epoch)
        return WidthPoint(
            network=network, precision=point.precision, scales=point.scales, config=point.config
        )

    def accuracy(self, point: WidthPoint) -> float:
        """Fraction of the validation part that the network in integers classifies right."""
        return integer_accuracy(point.integers, self._data.validation)

    def cost(self, point: WidthPoint, outcome: Outcome) -> Trial:
        """The trial's record with what happens in the engine, and the neurons by width."""
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
        )
