"""A 4-bit network as Brevitas' users write it, trained, and written by its QONNX exporter.

    python tests/peers/brevitas_network.py FOLDER

writes `brevitas_half_up.onnx` and `brevitas_half_even.onnx`, which the tests of the import read. It
needs brevitas, onnxoptimizer, onnxscript, qonnx, scikit-learn and torch, which nothing else needs
together: make an environment of their own for them.

Scales are powers of two, and no batch normalisation is left. Brevitas rounds halves to even. QONNX
also has HALF_UP, which Brevitas writes if a rounding of the user's own says so.
"""

import sys
from pathlib import Path
from typing import Any

import brevitas.nn as qnn
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.quant.fixed_point import Int8WeightPerChannelFixedPoint, Uint8ActPerTensorFixedPoint
from brevitas.quant.scaled_int import Int16Bias
from sklearn.datasets import load_digits
from torch import nn

_EPOCHS = 20
_BATCH = 50


class HalfUp(nn.Module):
    """Rounds halves away from zero, with the gradient of the identity."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Rounded values."""
        rounded = torch.sign(values) * torch.floor(torch.abs(values) + 0.5)
        return values + (rounded - values).detach()


class HalfEvenQuantiser(Uint8ActPerTensorFixedPoint):
    """Activations of 4 bits over a power of two, as Brevitas rounds them."""

    bit_width = 4


class HalfUpQuantiser(HalfEvenQuantiser):
    """The same, halves rounded up."""

    float_to_int_impl = HalfUp
    float_to_int_impl_type = "HALF_UP"


def network(quantiser: Any) -> nn.Sequential:
    """Two convolutions and a dense layer."""
    weights = {"weight_quant": Int8WeightPerChannelFixedPoint, "weight_bit_width": 4}

    def block(inputs: int, channels: int) -> tuple[nn.Module, ...]:
        return (
            qnn.QuantConv2d(inputs, channels, 3, padding=1, bias=True, **weights),
            qnn.QuantReLU(act_quant=quantiser, return_quant_tensor=True),
            nn.MaxPool2d(2),
        )

    return nn.Sequential(
        qnn.QuantIdentity(act_quant=quantiser, return_quant_tensor=True),
        *block(1, 8),
        *block(8, 16),
        nn.Flatten(),
        qnn.QuantLinear(64, 10, bias=True, bias_quant=Int16Bias, **weights),
    )


def train(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Adam on the cross entropy."""
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(_EPOCHS):
        for chosen in torch.randperm(len(inputs)).split(_BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
            optimiser.step()
    model.eval()


def write(model: nn.Module, sample: torch.Tensor, path: Path) -> None:
    """The network in one file, without the exporter's notes."""
    export_qonnx(model, args=sample, export_path=str(path), dynamo=True)
    found = onnx.load(path)
    beside = path.with_name(f"{path.name}.data")
    beside.unlink(missing_ok=True)
    for node in found.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del found.graph.metadata_props[:], found.metadata_props[:], found.graph.value_info[:]
    onnx.save(found, path)


def main(folder: Path) -> None:
    """Train and write both networks."""
    digits = load_digits()
    inputs = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    for name, quantiser in (("half_up", HalfUpQuantiser), ("half_even", HalfEvenQuantiser)):
        torch.manual_seed(0)
        model = network(quantiser)
        train(model, inputs[:1400], labels[:1400])
        right = (model(inputs[1400:]).argmax(dim=1) == labels[1400:]).float().mean()
        print(f"{name}: {right:.1%} of the last {len(inputs) - 1400} digits")
        write(model, inputs[:1], folder / f"brevitas_{name}.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
