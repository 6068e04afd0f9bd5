"""Trains ResNet-8 on CIFAR-10 with PyTorch: a network that is made elsewhere, for the import.

Stochastic gradient descent with one cycle of the learning rate, on shifted and mirrored pictures;
the last epoch's parameters count. The test part is not read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from axnn.data import Split
from qcnpe.spec.files import replace_file
from tests.peers.foreign_networks import resnet8

EPOCHS = 45
BATCH = 128
PEAK_RATE = 0.4
WEIGHT_DECAY = 2e-4
MARGIN = 4
"""Pixels by which pictures are shifted at most."""

_SHIFTS = 8
"""Parts of a batch, each of which is shifted as a whole."""


def train_resnet8(
    split: Split,
    checkpoint: Path,
    *,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """The network after training; an interrupted training goes on at its checkpoint.

    Parameters
    ----------
    split : pictures of 32x32 in [-1, 1]
    checkpoint : file that is written after each epoch
    seed : of start values, order, shifts and mirrors
    on_epoch : called with each epoch's number and its mean loss
    """
    torch.manual_seed(seed)
    network = resnet8()
    optimiser = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    steps = len(split) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=PEAK_RATE, total_steps=EPOCHS * steps, pct_start=0.2
    )
    done = 0
    parts: dict[str, Any] = {"network": network, "optimiser": optimiser, "schedule": schedule}
    if checkpoint.exists():
        found = torch.load(checkpoint, weights_only=True)
        done = found["epochs"]
        for name, part in parts.items():
            part.load_state_dict(found[name])
    for epoch in range(done, EPOCHS):
        # A generator for each epoch: a resumed run needs no generator's state.
        generator = np.random.default_rng([seed, epoch])
        total = 0.0
        network.train()
        order = generator.permutation(len(split))[: steps * BATCH].reshape(steps, BATCH)
        for chosen in order:
            pictures = _augmented(split.inputs[chosen], generator)
            total += _step(network, optimiser, pictures, torch.from_numpy(split.labels[chosen]))
            schedule.step()
        state = {name: part.state_dict() for name, part in parts.items()}
        _save({**state, "epochs": epoch + 1}, checkpoint)
        if on_epoch is not None:
            on_epoch(epoch, total / steps)
    return network.eval()


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, pictures: Tensor, labels: Tensor
) -> float:
    """One step of gradient descent, its products in bfloat16; returns the loss."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(pictures.contiguous(memory_format=torch.channels_last))
    loss = functional.cross_entropy(logits.float(), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return float(loss.item())


def _augmented(pictures: NDArray[np.float32], generator: np.random.Generator) -> Tensor:
    """The pictures, shifted with zeros around them, and half of them mirrored."""
    side = pictures.shape[-1]
    edges = ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))
    wide = np.pad(pictures, edges)
    shifted = []
    for part in np.array_split(wide, _SHIFTS):
        top, left = generator.integers(0, 2 * MARGIN + 1, 2)
        shifted.append(part[:, :, top : top + side, left : left + side])
    found = np.concatenate(shifted)
    mirrored = generator.random(len(found)) < 0.5
    found[mirrored] = found[mirrored, :, :, ::-1]
    return torch.from_numpy(found)


def _save(state: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda temporary: torch.save(state, temporary))
