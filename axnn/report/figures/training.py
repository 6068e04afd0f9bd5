"""Losses by epoch: how far the losses on the training and the validation part differ."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from axnn.nn.train import Epoch
from axnn.report.content import Picture
from axnn.report.drawing import BLUE, RED, draw, legend_above
from axnn.report.findings import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def losses(found: Findings, ways: Mapping[str, Sequence[Epoch]]) -> Picture:
    """Loss on the training and the validation part, a panel for each way of training."""

    def fill(figure: "Figure") -> None:
        axes = figure.subplots(len(ways), sharex=True, sharey=True, squeeze=False).reshape(-1)
        for axis, (way, epochs) in zip(axes, ways.items(), strict=True):
            numbers = [epoch.number + 1 for epoch in epochs]
            train = [epoch.train_loss for epoch in epochs]
            validation = [epoch.validation_loss for epoch in epochs]
            axis.fill_between(numbers, train, validation, color=RED, alpha=0.12, label="gap")
            axis.plot(numbers, train, "--", color=BLUE, label="training")
            axis.plot(numbers, validation, color=RED, label="validation")
            axis.set_title(way, loc="right", pad=3)
            axis.set_ylabel("loss, nats")
        axes[0].set_ylim(bottom=0)
        legend_above(axes[0], columns=3)
        axes[-1].set_xlabel("epoch")

    said = [
        f"{way}: {epochs[-1].train_loss:.3g} and {epochs[-1].validation_loss:.3g}"
        for way, epochs in ways.items()
    ]
    return Picture(
        name=f"{found.name}-training",
        caption=(
            "Mean loss on the training part (during training, with augmentation and dropout) and "
            "on the validation part."
        ),
        alt=f"Losses after the last epoch, training and validation: {'; '.join(said)}.",
        drawing=draw(fill, height=0.9 + 1.25 * len(ways)),
    )
