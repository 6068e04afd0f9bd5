"""The networks that ordinary processors run: chains of plain layers."""

from axnn.nn.layers import Identity, SourceLayer
from axnn.nn.network import Network
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.geometry import Geometry


def chain_of(network: Network) -> tuple[SourceLayer, ...]:
    """The layers of a network, in order.

    Raises
    ------
    ConfigError
        If the kernels have no way to compute one of them.
    """
    found = []
    for index, layer in enumerate(network.neuron_layers):
        if not isinstance(layer, SourceLayer) or not _is_plain(layer):
            raise ConfigError(
                f"network {network.spec.name}: layer {layer.name} cannot run on a processor: no"
                " kernel adds sources, dilates, passes a map on, or pads or pools unevenly"
            )
        if network.spec.reads[index] != (index - 1,):
            raise ConfigError(
                f"network {network.spec.name}: layer {layer.name} must read the layer before it to"
                " run on a processor"
            )
        found.append(layer)
    return tuple(found)


def _is_plain(layer: SourceLayer) -> bool:
    geometry: Geometry = layer.geometry
    return (
        not isinstance(layer, Identity)
        and geometry.dilation == (1, 1)
        and geometry.padding[:2] == geometry.padding[2:]
        and geometry.pools_side_by_side
        and geometry.window == geometry.pool[0] * geometry.pool[1]
    )
