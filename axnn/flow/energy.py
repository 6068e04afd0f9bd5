"""Energy of a network on an engine: the compiled program's event counts times prices.

NCU: neural compute unit, the multiply-accumulate unit of an engine. The exact network's operands
are counted on the same samples as the approximate one's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.event_counter import (
    PROGRAM_BATCH,
    EventCounter,
    external_events,
    memory_events,
)
from qcnpe.compiler import Program
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.qnet import QuantNet


@dataclass(frozen=True)
class Cost:
    """What a network costs for one sample.

    Attributes
    ----------
    energy_pj : of the engine
    layers_pj : of each layer
    cycles : of the engine
    memory_pj : of the on-chip memories that each word of the streams is read from or written to
        once, and their leakage; not part of `energy_pj`
    external_pj : of the external memory from which a host reads that keeps the last block of
        operands, and to which it writes the results; not part of either
    """

    energy_pj: float
    layers_pj: tuple[float, ...]
    cycles: float
    memory_pj: float
    external_pj: float


@dataclass(frozen=True, eq=False)
class EnergyModel:
    """Prices networks for one engine.

    Attributes
    ----------
    prices : of the engine's events
    config : the engine
    samples : real inputs (n, ...) on which operand activity is counted, see `EventCounter`
    """

    prices: EnergyPrices
    config: EngineConfig
    samples: NDArray[np.floating] | None = None

    @cached_property
    def exact_config(self) -> EngineConfig:
        """The same engine with plain 16-bit NCUs, the baseline of all comparisons."""
        return replace(self.config, ncu="plain16", precisions=(OPERAND_BITS,))

    def check_prices(self) -> None:
        """Raise `FormatError`, naming the widths, if widths of the engine have no price."""
        for config in (self.config, self.exact_config):
            prices = self.prices.for_engine(config)
            unpriced = [
                str(width)
                for width in config.precisions
                if not all(map(prices.has_price, self.counter.ncu_events(width)))
            ]
            if unpriced:
                raise FormatError(
                    f"there are no prices of ncu {config.ncu} at {', '.join(unpriced)} bits; "
                    "use prices that have them, or an engine of other widths"
                )

    @property
    def counter(self) -> EventCounter:
        """Counts the events that are priced."""
        return EventCounter(self.config, self.samples)

    def price(self, events: Mapping[str, int]) -> float:
        """Energy of a sample in pJ, given what `EventCounter.count` counted."""
        return self.prices.for_engine(self.config).cost_pj(events) / PROGRAM_BATCH

    def saving(self, exact: QuantNet, events: Mapping[str, int]) -> float:
        """How many times less energy such events take than the exact network on its engine."""
        return self.exact_cost(exact).energy_pj / self.price(events)

    def cost(self, net: QuantNet) -> Cost:
        """Cost of a network on the engine."""
        return self._cost(net, self.config)

    def exact_cost(self, net: QuantNet) -> Cost:
        """Cost of an exact 16-bit network on `exact_config`."""
        return self._cost(net, self.exact_config)

    def _cost(self, net: QuantNet, config: EngineConfig) -> Cost:
        counter = EventCounter(config, self.samples)
        program = counter.compile(net)
        return program_cost(self.prices, program, counter.count_layers(program))


def program_cost(
    prices: EnergyPrices, program: Program, layers: Sequence[Mapping[str, int]]
) -> Cost:
    """Cost of a compiled network.

    Parameters
    ----------
    prices : of events
    program : for `PROGRAM_BATCH` samples, as `EventCounter.compile` makes it
    layers : events of the engine in each layer
    """
    own = prices.for_engine(program.config)
    layers_pj = tuple(own.cost_pj(events) / PROGRAM_BATCH for events in layers)
    return Cost(
        energy_pj=sum(layers_pj),
        layers_pj=layers_pj,
        cycles=program.cycles / PROGRAM_BATCH,
        memory_pj=own.cost_pj(memory_events(program)) / PROGRAM_BATCH,
        external_pj=own.cost_pj(external_events(program)) / PROGRAM_BATCH,
    )
