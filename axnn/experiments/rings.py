"""Where on a map the resilient neurons are: means over rings, and what lowering the edges costs.

The paper (S. Venkataramani et al., ISLPED 2014) finds the neurons toward the edges of images more
resilient. A ring is the set of positions at one distance from the nearest edge of the map.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from axnn.data import Split
from axnn.experiments.documents import ORDERS
from axnn.nn.network import Network
from axnn.nn.train import validate
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.quantize import Precision, QuantisedNetwork, Scales, uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.geometry import Geometry, Wiring


def ring_of(geometry: Geometry | Wiring) -> NDArray[np.int64]:
    """(outputs,) ring of each position of a channel: 0 at the edge, the most in the centre."""
    _, height, width = geometry.output_shape
    rows, columns = np.indices((height, width))
    rings = np.minimum.reduce([rows, columns, height - 1 - rows, width - 1 - columns])
    return rings.reshape(-1)


def ring_means(scores: NDArray[np.float64], geometry: Geometry | Wiring) -> NDArray[np.float64]:
    """Mean score of the neurons of each ring, the edge first.

    Parameters
    ----------
    scores : (channels, outputs), of one layer
    geometry : of the layer
    """
    rings = ring_of(geometry)
    totals = np.bincount(rings, weights=scores.mean(axis=0))
    return totals / np.bincount(rings)


def lower_positions(
    precision: Precision,
    geometries: Sequence[Geometry | Wiring],
    *,
    order: str,
    share: float,
    width: int,
    seed: int,
) -> Precision:
    """The precision with a share of the positions of every map at one width.

    Layers without a map, of one position, are left as they are.

    Parameters
    ----------
    precision : of every neuron
    geometries : of each layer
    order : one of `ORDERS`; equally far from the edge, chance decides
    share : of each map's positions, 0..1
    width : in bits
    seed : of the random order and of ties
    """
    if order not in ORDERS:
        raise ConfigError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    if not 0 <= share <= 1:
        raise ConfigError(f"share must be 0..1, not {share}")
    rng = np.random.default_rng(seed)
    lowered = tuple(widths.copy() for widths in precision)
    for widths, geometry in zip(lowered, geometries, strict=True):
        chance = rng.random(geometry.outputs)
        distance = {"edges": 1, "centre": -1, "random": 0}[order] * ring_of(geometry)
        chosen = np.lexsort((chance, distance))[: round(share * geometry.outputs)]
        if geometry.outputs > 1:
            widths[:, chosen] = width
    return lowered


def edge_experiment(
    network: Network,
    train: Split,
    judge: Split,
    config: EngineConfig,
    *,
    width: int,
    shares: Sequence[float],
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> dict[str, list[float]]:
    """Accuracy, without retraining, when edges, centre or random positions are lowered first.

    Parameters
    ----------
    network : the trained network
    train : what scales are calibrated on
    judge : what the accuracy is measured on
    config : the engine
    width : that positions are lowered to, in bits
    shares : of each map's positions, one measurement for each
    seed : of the random order
    progress : called with the number of measurements finished so far

    Returns
    -------
    For each order the fraction right at each share.
    """
    exact = uniform_precision(network, OPERAND_BITS)
    scales = calibrate(network, train.inputs, exact, config)
    geometries = [layer.geometry for layer in network.neuron_layers]
    found: dict[str, list[float]] = {order: [] for order in ORDERS}
    for order in ORDERS:
        for share in shares:
            precision = lower_positions(
                exact, geometries, order=order, share=share, width=width, seed=seed
            )
            found[order].append(_accuracy(network, scales, precision, config, judge))
            if progress is not None:
                progress(sum(map(len, found.values())))
    return found


def _accuracy(
    network: Network, scales: Scales, precision: Precision, config: EngineConfig, judge: Split
) -> float:
    return validate(QuantisedNetwork(network, scales, precision, config), judge)[1]
