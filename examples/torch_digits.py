"""Makes `torch_digits.onnx`: a residual network for the 8x8 digits, trained in PyTorch.

It needs the extra `peers`. Its test part is the one that the importing example judges on.
"""

import argparse
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from axnn import data
from qcnpe.command_line import command

LARGEST_GREY = 16.0
"""The network reads grey levels of 0 to 16, as the data set has them."""

EPOCHS = 60


class Residual(nn.Module):
    """Two convolutions whose result is added to what they read."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(2))
        kept = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if kept else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """The sum, with ReLU."""
        inner = torch.relu(self.norms[0](self.first(maps)))
        return torch.relu(self.norms[1](self.second(inner)) + self.shortcut(maps))


def make_network() -> nn.Module:
    """The network with its start values."""
    return nn.Sequential(
        nn.BatchNorm2d(1),
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Residual(8, 8),
        Residual(8, 16, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def train(network: nn.Module) -> float:
    """Train on the training part; returns the accuracy on the validation part."""
    samples = data.load("digits8x8", seed=1)
    inputs = LARGEST_GREY * torch.from_numpy(samples.train.inputs)
    labels = torch.from_numpy(samples.train.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        network.train()
        for batch in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        logits = network(LARGEST_GREY * torch.from_numpy(samples.validation.inputs))
    return float((logits.argmax(1).numpy() == samples.validation.labels).mean())


def leave_out_origins(path: Path) -> None:
    """Leave out what the exporter notes of this machine: paths and lines of the sources."""
    model = onnx.load(path)
    for entry in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        entry.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    onnx.save(model, path)


def main() -> None:
    """Read the arguments; errors that a user can mend are one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).with_name("torch_digits.onnx")
    parser.add_argument("--out", type=Path, default=here, help="ONNX file to write")
    arguments = parser.parse_args()
    with command("torch_digits"):
        torch.manual_seed(1)
        network = make_network()
        print(f"validation accuracy {train(network):.2%}")
        torch.onnx.export(
            network,
            (torch.zeros(2, 1, 8, 8),),
            arguments.out,
            dynamo=True,
            external_data=False,
            input_names=["pictures"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("samples")},),
            verbose=False,
        )
        leave_out_origins(arguments.out)


if __name__ == "__main__":
    main()
