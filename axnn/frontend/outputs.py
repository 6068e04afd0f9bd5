"""Outputs of imported networks as the data have them: a class each, or a quantity in its units."""

from dataclasses import replace

import numpy as np

from axnn.frontend.refusal import UnsupportedError
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec


def with_two_outputs(network: Network) -> Network:
    """A network whose second output is the larger one where the only one of this is positive.

    A sigmoid at the end is left out: it is above one half where its argument is positive.

    Raises
    ------
    UnsupportedError
        If the last layer is no dense one.
    """
    layers, state = list(network.spec.layers), network.state()
    if len(layers) > 1 and (layers[-1].kind, layers[-2].function) == ("identity", "sigmoid"):
        layers.pop()
    _check_dense(layers[-1])
    place = len(layers) - 1
    layers[-1] = replace(layers[-1], channels=2, function="identity")
    for name in ("weights", "bias"):
        only = state[f"{place}.{name}"]
        state[f"{place}.{name}"] = np.concatenate([-only, only]) / 2
    found = Network(replace(network.spec, layers=tuple(layers)), seed=0)
    found.set_state(state)
    return found


def with_scaled_output(network: Network, offset: float, span: float) -> Network:
    """A network whose only output is (value - offset) / span.

    Raises
    ------
    UnsupportedError
        If the last layer is no dense one.
    """
    _check_dense(network.spec.layers[-1])
    state, place = network.state(), len(network.spec.layers) - 1
    weights, bias = state[f"{place}.weights"], state[f"{place}.bias"].astype(np.float64)
    state[f"{place}.weights"] = (weights / span).astype(np.float32)
    state[f"{place}.bias"] = ((bias - offset) / span).astype(np.float32)
    return network.copy(state)


def _check_dense(last: LayerSpec) -> None:
    if last.kind != "dense" or last.channels != 1 or last.adds:
        raise UnsupportedError("its only output must be that of a dense layer")
