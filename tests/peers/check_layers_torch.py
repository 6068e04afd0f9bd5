"""LeNet's logits, loss and gradients against PyTorch."""

import numpy as np
import pytest
import torch

from axnn.data.task import cross_entropy
from axnn.flow.apps import lenet
from axnn.nn.network import Network, batch_innermost


def test_lenet_is_that_of_another_implementation():
    network = Network(lenet("lenet"), seed=0)
    rng = np.random.default_rng(0)
    inputs = rng.random((8, 1, 32, 32)).astype(np.float32)
    labels = rng.integers(0, 10, 8)
    logits = network.forward(batch_innermost(inputs))
    losses, gradient = cross_entropy(logits, labels)
    network.backward(gradient)

    values = {
        name: torch.tensor(parameter.value, requires_grad=True)
        for name, parameter in network.parameters.items()
    }
    functional = torch.nn.functional
    hidden = torch.tensor(inputs)
    for index, channels in ((0, 6), (2, 16)):
        kernel = values[f"{index}.weights"].reshape(channels, -1, 5, 5)
        hidden = functional.relu(functional.conv2d(hidden, kernel, values[f"{index}.bias"]))
        weight, bias = values[f"{index + 1}.weights"], values[f"{index + 1}.bias"]
        total = 4 * functional.avg_pool2d(hidden, 2) * weight[..., None]
        hidden = functional.relu(total + bias[:, None, None])
    hidden = hidden.flatten(1)
    hidden = functional.relu(functional.linear(hidden, values["4.weights"], values["4.bias"]))
    expected = functional.linear(hidden, values["5.weights"], values["5.bias"])
    loss = functional.cross_entropy(expected, torch.tensor(labels), reduction="sum")
    loss.backward()

    found = logits.T
    assert found == pytest.approx(expected.detach().numpy(), abs=1e-5)
    assert losses.sum() == pytest.approx(loss.item(), rel=1e-5)
    for name, parameter in network.parameters.items():
        by_value = values[name].grad
        assert by_value is not None
        reference = by_value.numpy()
        tolerance = 1e-4 * float(np.abs(reference).max())
        assert parameter.gradient == pytest.approx(reference, abs=tolerance), name
