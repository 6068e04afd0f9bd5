"""Operating points of an application on one engine: quality and energy are changed while it runs.

The networks of all points are kept side by side. The program that the driver sends decides for each
batch which of them computes it; the engine, or the board's bitstream, stays as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from axnn.flow.energy import EnergyModel
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, Transport
from qcnpe.prices import EnergyPrices
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples


@dataclass(frozen=True, kw_only=True)
class PointResult:
    """The results of one operating point.

    Attributes
    ----------
    point : its name
    samples : number of samples that were run
    accuracy : fraction right; None if the samples have no labels
    mismatches : outputs that differ from the bit-exact model's
    cycles : of the engine for a sample, if it never waits for operands
    busy_cycles : of the engine for a sample as it counts them, including those in which it waits
    energy_pj : of the engine for a sample, at 45 nm by the energy prices
    seconds : wall-clock time for a sample
    """

    point: str
    samples: int
    accuracy: float | None
    mismatches: int
    cycles: float
    busy_cycles: float
    energy_pj: float
    seconds: float


def run_point(
    engine: Transport,
    point: str,
    net: QuantNet,
    samples: Samples,
    prices: EnergyPrices,
    *,
    batch: int,
    progress: Callable[[int], None] | None = None,
) -> PointResult:
    """Run samples on an engine at one operating point, and compare with the model.

    Parameters
    ----------
    engine : a board, a simulation, or the model
    point : name of the operating point
    net : its network
    samples : inputs and classes
    prices : of the engine's events
    batch : samples sent at once
    progress : called with the number of samples finished

    Raises
    ------
    CapacityError
        If the network does not fit the engine.
    TransportError
        If the engine does not answer.
    """
    if batch < 1:
        raise QcnpeError(f"batch must be at least 1, not {batch}")
    before, begin = engine.cycles, perf_counter()
    outputs, counted = [], 0
    for start in range(0, len(samples.inputs), batch):
        part = samples.inputs[start : start + batch]
        program = compile_network(net, engine.config, len(part))
        counted += program.cycles
        outputs.append(Driver(engine).run(program, part))
        if progress is not None:
            progress(start + len(part))
    seconds = perf_counter() - begin
    found, count = np.concatenate(outputs), len(samples.inputs)
    return PointResult(
        point=point,
        samples=count,
        accuracy=samples.accuracy(found),
        mismatches=int((found != infer(net, samples.inputs)).sum()),
        cycles=counted / count,
        busy_cycles=(engine.cycles - before) / count,
        energy_pj=EnergyModel(prices, engine.config).cost(net).energy_pj,
        seconds=seconds / count,
    )


def run_points(
    engine: Transport,
    points: Mapping[str, QuantNet],
    samples: Samples,
    prices: EnergyPrices,
    *,
    batch: int,
    progress: Callable[[int, str], None] | None = None,
) -> list[PointResult]:
    """Run samples at each operating point in turn, without reloading anything; see `run_point`.

    `progress` is called with the samples finished over all points, and the point's name.
    `InputError` is raised before anything is sent if the samples are not those of each network.
    """
    EnergyModel(prices, engine.config).check_prices()
    for net in points.values():
        samples.check(net)
    results = []
    for index, (point, net) in enumerate(points.items()):

        def update(done: int, index: int = index, point: str = point) -> None:
            if progress is not None:
                progress(index * len(samples.inputs) + done, point)

        results.append(run_point(engine, point, net, samples, prices, batch=batch, progress=update))
    return results
