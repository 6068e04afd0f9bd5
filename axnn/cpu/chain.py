"""The networks whose channels have kinds to choose from: chains of plain layers."""

from axnn.nn.layers import Identity, NeuronLayer, SourceLayer
from axnn.nn.network import Network
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.geometry import Geometry


def is_chain(network: Network) -> bool:
    """Whether a network is a chain of plain layers, for which the kernels have kinds."""
    return all(
        _is_plain(layer) and read == (index - 1,)
        for index, (layer, read) in enumerate(
            zip(network.neuron_layers, network.spec.reads, strict=True)
        )
    )


def chain_of(network: Network) -> tuple[SourceLayer, ...]:
    """The layers of a network, in order.

    Raises
    ------
    ConfigError
        If it is no chain of plain layers.
    """
    found = []
    for index, layer in enumerate(network.neuron_layers):
        where = f"network {network.spec.name}: layer {layer.name}"
        if not isinstance(layer, SourceLayer) or not _is_plain(layer):
            raise ConfigError(
                f"{where} has no kinds to choose from on a processor: it adds sources, dilates,"
                " passes a map on, or pads or pools unevenly"
            )
        if network.spec.reads[index] != (index - 1,):
            raise ConfigError(
                f"{where} must read the layer before it: kinds on a processor are those of chains"
            )
        found.append(layer)
    return tuple(found)


def _is_plain(layer: NeuronLayer) -> bool:
    if not isinstance(layer, SourceLayer) or isinstance(layer, Identity):
        return False
    geometry: Geometry = layer.geometry
    return (
        geometry.dilation == (1, 1)
        and geometry.padding[:2] == geometry.padding[2:]
        and geometry.pools_side_by_side
        and geometry.window == geometry.pool[0] * geometry.pool[1]
    )
