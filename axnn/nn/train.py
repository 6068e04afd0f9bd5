"""Training: stochastic gradient descent with momentum, on the loss of the task."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from axnn.data import DataSet, Split
from axnn.data.task import Labels, Task
from axnn.errors import DivergenceError, TrainingError
from axnn.nn.augmentation import flip, shift
from axnn.nn.layers import FloatArray
from axnn.nn.network import LayerStack, Network, batch_innermost
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.npz import ArrayType, add_prefix, read_npz, take_prefix, write_npz

_CHECKPOINT_KIND = "axnn-checkpoint-1"
_NEGLIGIBLE_VELOCITY = np.float32(1e-30)
"""Adding and subtracting this rounds to its last place, about 1e-37: still a normal number."""

_STEPS_BETWEEN_ROUNDINGS = 32
"""A velocity of 1e-37 or more that nothing feeds stays a normal number so long: 0.9**32 is 0.03."""

SCHEDULES = ("constant", "cosine")
"""`cosine` lets the learning rate fall from its start value to zero over all epochs."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Hyper-parameters of a training.

    Attributes
    ----------
    epochs : at most this many passes over the training part
    batch : samples of one step
    learning_rate : at the start
    momentum : 0..1, the share of the last step that is added again
    weight_decay : L2 penalty on weights (not on biases), as a gradient per weight
    schedule : one of `SCHEDULES`
    patience : stop after this many epochs without a better validation
    shift_pixels : samples are moved by at most so many pixels, at random, along both axes
    flip : half of the samples, at random, are mirrored left to right
    """

    epochs: int
    batch: int = 32
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "cosine"
    patience: int = 20
    shift_pixels: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        _check("epochs", self.epochs, self.epochs >= 1, "at least 1")
        _check("batch", self.batch, self.batch >= 1, "at least 1")
        _check("learning_rate", self.learning_rate, self.learning_rate > 0, "positive")
        _check("momentum", self.momentum, 0 <= self.momentum < 1, "0 or more and less than 1")
        _check("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more")
        _check("schedule", self.schedule, self.schedule in SCHEDULES, " or ".join(SCHEDULES))
        _check("shift_pixels", self.shift_pixels, self.shift_pixels >= 0, "0 or more")
        _check("patience", self.patience, self.patience >= 1, "at least 1")

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        if self.schedule == "constant":
            return self.learning_rate
        return float(self.learning_rate * (1 + np.cos(np.pi * epoch / self.epochs)) / 2)


def _check(name: str, value: object, good: bool, allowed: str) -> None:
    if not good:
        raise ConfigError(f"{name} must be {allowed}, not {value}")


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; accuracies are fractions."""

    number: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float

    @property
    def rank(self) -> tuple[float, float]:
        """Sorts epochs from worse to better: accuracy first, loss decides ties."""
        return self.validation_accuracy, -self.validation_loss


@dataclass(frozen=True)
class History:
    """The epochs of a training, in order."""

    epochs: tuple[Epoch, ...]

    @property
    def best(self) -> Epoch:
        """The epoch whose parameters the network has after training: the first of the best."""
        return max(self.epochs, key=lambda epoch: epoch.rank)


def validate(model: LayerStack, split: Split) -> tuple[float, float]:
    """Mean loss and quality of a network on a split, as the split's task has them."""
    logits = model.predict(split.inputs)
    losses, _ = split.task.losses(logits.T, split.labels)
    return float(losses.mean()), split.task.quality(logits, split.labels)


def train(
    model: LayerStack,
    data: DataSet,
    plan: TrainingPlan,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train in place; the network ends with the parameters of its best epoch on validation.

    The same seed gives the same parameters, also when a run is interrupted and resumed.

    Parameters
    ----------
    model : the network
    data : its training part is fitted, its validation part decides when to stop
    plan : hyper-parameters
    seed : of the order of the samples
    checkpoint : file that is written after each epoch and, if it exists, resumed from
    on_epoch : called after each epoch, also for those that a checkpoint holds

    Raises
    ------
    TrainingError
        If the data are not those of the network, or the loss is no longer a number.
    FormatError
        If the checkpoint is damaged or that of another training.
    """
    check_fits(model, data)
    run = _Run(model, plan, seed)
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
        for epoch in run.epochs:
            if on_epoch is not None:
                on_epoch(epoch)
    while not run.finished:
        run.step_epoch(data)
        if checkpoint is not None:
            run.save(checkpoint)
        if on_epoch is not None:
            on_epoch(run.epochs[-1])
    model.set_state(run.best)
    return History(tuple(run.epochs))


def check_fits(model: LayerStack, data: DataSet) -> None:
    """Refuse samples that a network does not read, and classes that it has no logits for.

    Raises
    ------
    TrainingError
        If the data have such samples or classes.
    """
    if isinstance(model, Network) and model.spec.input_shape != data.input_shape:
        raise TrainingError(
            f"network {model.spec.name} reads samples of {model.spec.input_shape}, but those of"
            f" {data.name} are {data.input_shape}"
        )
    outputs = model.predict(data.train.draw(1, seed=0).inputs).shape[1]
    for part in (data.train, data.validation, data.test):
        if fault := part.task.outputs_fault(part.labels, outputs):
            raise TrainingError(f"the network has {outputs} outputs, but in {data.name} {fault}")


class _Run:
    """All that a training must remember from epoch to epoch."""

    def __init__(self, model: LayerStack, plan: TrainingPlan, seed: int) -> None:
        self.model = model
        self.plan = plan
        self.seed = seed
        self.epochs: list[Epoch] = []
        self.best = model.state()
        self.velocity = {name: np.zeros_like(value) for name, value in self.best.items()}

    @property
    def finished(self) -> bool:
        done = len(self.epochs)
        if done < self.plan.patience:
            return done >= self.plan.epochs
        since_best = done - 1 - History(tuple(self.epochs)).best.number
        return done >= self.plan.epochs or since_best >= self.plan.patience

    def step_epoch(self, data: DataSet) -> None:
        """One pass over the training part, then a validation."""
        number = len(self.epochs)
        # A generator for each epoch: a resumed run needs no generator's state.
        generator = np.random.default_rng([self.seed, number])
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is told below
            total = self._pass_over(data.train, self.plan.rate(number), generator)
            loss, quality = validate(self.model, data.validation)
        if not np.isfinite(total + loss):
            raise DivergenceError(
                f"the loss is no longer a number in epoch {number + 1}; lower learning_rate "
                f"({self.plan.learning_rate:g}) or look for inputs out of range"
            )
        epoch = Epoch(number, total / len(data.train), loss, quality)
        if not self.epochs or epoch.rank > History(tuple(self.epochs)).best.rank:
            self.best = self.model.state()
        self.epochs.append(epoch)

    def _pass_over(self, split: Split, rate: float, generator: np.random.Generator) -> float:
        """Steps over all samples in random order; returns the sum of the losses."""
        plan = self.plan
        order = generator.permutation(len(split))
        total = 0.0
        with self.model.training(generator):
            for step, start in enumerate(range(0, len(order), plan.batch)):
                if step % _STEPS_BETWEEN_ROUNDINGS == 0:
                    self._round_velocities()
                chosen = order[start : start + plan.batch]
                inputs = shift(split.inputs[chosen], plan.shift_pixels, generator)
                if plan.flip:
                    inputs = flip(inputs, generator)
                part = (batch_innermost(inputs), split.labels[chosen])
                total += self._step(*part, split.task, rate)
        return total

    def _step(self, inputs: FloatArray, labels: Labels, task: Task, rate: float) -> float:
        """One step of gradient descent; returns the sum of the losses."""
        losses, gradient = task.losses(self.model.forward(inputs), labels)
        self.model.backward(gradient / np.float32(len(labels)))
        for name, parameter in self.model.parameters.items():
            slope = parameter.gradient
            if parameter.decays and self.plan.weight_decay:
                slope = slope + np.float32(self.plan.weight_decay) * parameter.value
            velocity = self.velocity[name]
            velocity *= np.float32(self.plan.momentum)
            velocity -= np.float32(rate) * slope
            parameter.value += velocity
        return float(losses.sum())

    def _round_velocities(self) -> None:
        """A velocity without gradient must not decay to subnormal numbers, which are slow."""
        for velocity in self.velocity.values():
            velocity += _NEGLIGIBLE_VELOCITY
            velocity -= _NEGLIGIBLE_VELOCITY

    def save(self, path: Path) -> None:
        """Write everything to a checkpoint."""
        arrays = (
            add_prefix("value.", self.model.state())
            | add_prefix("best.", self.best)
            | add_prefix("velocity.", self.velocity)
        )
        header = _Checkpoint(self.plan, self.seed, tuple(self.epochs))
        write_npz(path, _CHECKPOINT_KIND, header, arrays)

    def restore(self, path: Path) -> None:
        """Take everything from a checkpoint."""

        def layout(header: _Checkpoint) -> dict[str, ArrayType]:
            if (header.plan, header.seed) != (self.plan, self.seed):
                raise TrainingError(f"{path}: of a training with another plan or seed; delete it")
            types = self.model.state_types()
            return (
                add_prefix("value.", types)
                | add_prefix("best.", types)
                | add_prefix("velocity.", types)
            )

        header, arrays = read_npz(path, _CHECKPOINT_KIND, _Checkpoint, layout)
        self.model.set_state(take_prefix("value.", arrays))
        self.best = take_prefix("best.", arrays)
        self.velocity = take_prefix("velocity.", arrays)
        self.epochs = list(header.epochs)


@dataclass(frozen=True)
class _Checkpoint:
    """What a checkpoint says besides its arrays."""

    plan: TrainingPlan
    seed: int
    epochs: tuple[Epoch, ...]

    def __post_init__(self) -> None:
        if [epoch.number for epoch in self.epochs] != list(range(len(self.epochs))):
            raise FormatError("its epochs are not in order; delete it")
