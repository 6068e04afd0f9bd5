"""From a trained network to its `QuantNet`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers import Addition, Identity, NeuronLayer
from axnn.nn.network import Network
from axnn.quantisation.quantize import INPUT_FRACTION_BITS, Precision, Scales, knots_of
from axnn.quantisation.scales import LayerScale, SourceScale
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.fixed import limits, quantize
from qcnpe.spec.geometry import Source, Wiring
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands

_Weights = Mapping[int, NDArray[np.int16]]
"""Weights (channels, fan_in) of one source by width."""


def to_integers(
    network: Network,
    scales: Scales,
    precision: Precision,
    config: EngineConfig,
    *,
    notes: Mapping[str, Any] | None = None,
    input_fraction_bits: int = INPUT_FRACTION_BITS,
) -> QuantNet:
    """The network in integers, with the operands of the widths that it uses.

    Parameters
    ----------
    network : the trained network
    scales : those that it was trained with
    precision : width of each neuron
    config : the engine that it is for
    notes : free JSON-compatible facts for reports
    input_fraction_bits : of the network's inputs, if others than of training
    """
    layers = zip(network.neuron_layers, network.spec.wirings, scales, precision, strict=True)
    return QuantNet(
        name=network.spec.name,
        input_fraction_bits=input_fraction_bits,
        layers=tuple(_integer_layer(*entry, config) for entry in layers),
        notes=dict(notes or {}),
        engine=config,
        output_fraction_bits=scales[-1].output_fraction_bits,
    )


def _integer_layer(
    layer: NeuronLayer,
    wiring: Wiring,
    scale: LayerScale,
    precision: NDArray[np.uint8],
    config: EngineConfig,
) -> QuantLayer:
    widths = np.unique(precision).tolist()
    parts = list(_integer_sources(layer, wiring, scale, widths))
    bias = quantize(layer.bias.value, scale.fraction_bits, OPERAND_BITS)
    values = [value for _, value, _ in parts]
    return QuantLayer(
        name=layer.name,
        sources=tuple(source for source, _, _ in parts),
        function=layer.function,
        table=knots_of(layer.function, config.table_segments),
        bias=bias.astype(np.int16),
        precision=precision,
        input_unsigned=all(value.value.unsigned for value in values),
        widths={
            width: WidthOperands(
                weights=np.concatenate([weights[width] for _, _, weights in parts], axis=1),
                shift=(scale.products[width] - scale.fraction_bits).astype(np.int8),
                input_shifts=tuple(
                    value.value.fraction_bits - value.value.narrow[width] for value in values
                ),
            )
            for width in widths
        },
    )


def _integer_sources(
    layer: NeuronLayer, wiring: Wiring, scale: LayerScale, widths: list[int]
) -> Iterator[tuple[Source, SourceScale, _Weights]]:
    """Each source of a layer with its scales and weights; an identity may take several."""
    parts = layer.parts if isinstance(layer, Addition) else (layer,)
    for part, source, own in zip(parts, wiring.sources, scale.sources, strict=True):
        if isinstance(part, Identity):
            for weights in _identity_weights(part, own, widths):
                yield source, own, weights
        else:
            yield source, own, {width: _weights(part, own, width) for width in widths}


def _weights(layer: NeuronLayer, scale: SourceScale, width: int) -> NDArray[np.int16]:
    exponents = scale.weights[width][:, None]
    return quantize(layer.operand_weights(), exponents, width).astype(np.int16)


def _identity_weights(layer: Identity, scale: SourceScale, widths: list[int]) -> Iterator[_Weights]:
    """Weights that add up to exactly 1.0, as many times as the largest of them needs.

    On a grid of 2**-8, 8 bits hold 1.0 as 127 + 127 + 2.
    """
    left = {width: np.exp2(scale.weights[width]).astype(np.int64) for width in widths}
    matrix = layer.operand_weights().astype(np.int64)
    while any(rest.any() for rest in left.values()):
        found = {}
        for width, rest in left.items():
            part = np.minimum(rest, limits(width)[1])
            found[width] = (matrix * part[:, None]).astype(np.int16)
            left[width] = rest - part
        yield found
