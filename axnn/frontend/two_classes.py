"""Networks with one output for two classes, as a network with an output for each."""

from dataclasses import replace

import numpy as np

from axnn.frontend.refusal import UnsupportedError
from axnn.nn.network import Network


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
    last, place = layers[-1], len(layers) - 1
    if last.kind != "dense" or last.channels != 1 or last.adds:
        raise UnsupportedError("its only output must be that of a dense layer")
    layers[-1] = replace(last, channels=2, function="identity")
    for name in ("weights", "bias"):
        only = state[f"{place}.{name}"]
        state[f"{place}.{name}"] = np.concatenate([-only, only]) / 2
    found = Network(replace(network.spec, layers=tuple(layers)), seed=0)
    found.set_state(state)
    return found
