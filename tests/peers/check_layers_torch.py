"""LeNet's logits, loss and gradients against PyTorch."""

import numpy as np
import pytest
import torch

from axnn.data.task import cross_entropy
from axnn.flow.apps import lenet
from axnn.nn.layers import BatchNorm, Convolution
from axnn.nn.network import Network, batch_innermost
from qcnpe.spec.geometry import Geometry


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


def test_batch_norm_is_that_of_another_implementation():
    rng = np.random.default_rng(0)
    geometry = Geometry(input_shape=(3, 8, 8), channels=5, kernel=(3, 3), padding=(1, 1))
    weights, bias = (rng.normal(size=shape) for shape in ((5, 27), 5))
    inputs, by_results = rng.normal(size=(6, 3, 8, 8)), rng.normal(size=(6, 5, 8, 8))
    layer = BatchNorm(
        Convolution(
            name="layer", geometry=geometry, function="relu", weights=weights.copy(), bias=bias
        )
    )
    layer.gain.value[:] = rng.uniform(0.5, 2, 5)
    layer.set_training(rng)
    found = layer.forward(inputs.reshape(6, -1).T)
    by_inputs = layer.backward(by_results.reshape(6, -1).T)
    assert by_inputs is not None

    functional = torch.nn.functional
    values = {name: torch.tensor(entry.value) for name, entry in layer.parameters.items()}
    mean, variance = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    learned = [values[name].requires_grad_() for name in ("weights", "gain", "bias")]
    samples = torch.tensor(inputs, requires_grad=True)
    sums = functional.conv2d(samples, learned[0].reshape(5, 3, 3, 3), padding=1)
    normalised = functional.batch_norm(
        sums, mean, variance, learned[1], learned[2], training=True, momentum=0.1
    )
    expected = functional.relu(normalised)
    (expected * torch.tensor(by_results)).sum().backward()

    assert found.T.reshape(6, 5, 8, 8) == pytest.approx(expected.detach().numpy())
    assert samples.grad is not None
    assert by_inputs.T.reshape(6, 3, 8, 8) == pytest.approx(samples.grad.numpy())
    for name, value in zip(("weights", "gain", "bias"), learned, strict=True):
        assert value.grad is not None
        assert layer.parameters[name].gradient == pytest.approx(value.grad.numpy()), name
    assert layer.mean.value == pytest.approx(mean.numpy())
    assert layer.variance.value == pytest.approx(variance.numpy())
