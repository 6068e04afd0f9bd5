"""Prices of events: what each thing that happens in an engine, or around it, costs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import read_document
from qcnpe.spec.errors import FormatError

_ENGINE_PRICES = "energy_45nm.json"
"""File of the committed prices of an engine in the package `synth`."""

_SIZE = 16
_SIDE_PRICES = {
    4: "memory_side_4x4_45nm.json",
    8: "memory_side_8x8_45nm.json",
    _SIZE: "memory_side_45nm.json",
}
"""Files of the committed prices of the units around an autonomous engine's engine, by the rows and
columns of the engine with which they were measured."""

_PREFIX = "ncu"
"""Prefix of the names of NCU events as they are counted, the same for all kinds."""

_ANY_KIND = ("ncu_idle_cycle", "ncu_edge_beat", "ncu_result")
"""Events of an NCU whose price holds for the kinds that have none of their own."""


@dataclass(frozen=True)
class _PricesFile:
    """Energy prices as their file holds them."""

    pj: dict[str, float]
    provenance: dict[str, Any] = field(default_factory=dict)
    ncu_16b: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class EnergyPrices:
    """What each event costs.

    Attributes
    ----------
    pj : energy of one event in pJ, by the event's name
    provenance : where the numbers come from
    prefix : of the prices of one kind of NCU, see `NcuKind`; with the prefix `plain16`, the event
        `ncu_mac_16b` has the price `plain16_mac_16b`, and an event outside of NCUs, such as
        `afu_relu`, that of `plain16_afu_relu` if there is one
    sizes : prices of the units around an autonomous engine's engine, by rows and columns of a
        square array, in place of those of `pj`; between two sizes they are interpolated, and
        for larger arrays there are none. Without them, those of `pj` are for all sizes

    Raises
    ------
    FormatError
        If there is no price, or one is negative or not a finite number.
    """

    pj: Mapping[str, float]
    provenance: Mapping[str, Any]
    prefix: str = _PREFIX
    sizes: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.pj:
            raise FormatError("there is no energy price; make prices with `make synth`")
        for event, price in self.pj.items():
            if not 0 <= price < math.inf:  # false for NaN, too
                raise FormatError(
                    f"the price of {event} must be a finite number of pJ, at least 0, not {price}"
                )

    @classmethod
    def load(cls, path: Path | None = None) -> "EnergyPrices":
        """Read prices from a file, by default the committed ones.

        Raises
        ------
        FormatError
            If the file is missing or damaged, or a price is negative or not a finite number.
        """
        if path is None:
            engine = cls._load_bundled(_ENGINE_PRICES)
            sizes = {size: cls._load_bundled(name).pj for size, name in _SIDE_PRICES.items()}
            return cls({**engine.pj, **sizes[_SIZE]}, engine.provenance, sizes=sizes)
        document = read_document(path, _PricesFile)
        try:
            return cls(document.pj, document.provenance)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error

    @classmethod
    def _load_bundled(cls, name: str) -> "EnergyPrices":
        with as_file(files("synth") / name) as bundled:
            return cls.load(bundled)

    def for_engine(self, config: EngineConfig) -> "EnergyPrices":
        """The prices for the engine's kind of NCU, and for the size of its array."""
        events = {event for own in self.sizes.values() for event in own}
        pj = {event: price for event, price in self.pj.items() if event not in events}
        around = self._around((3 * config.rows + config.cols) / 4)
        return replace(self, pj={**pj, **around}, prefix=config.kind.price_prefix)

    def knows_array(self, config: EngineConfig) -> bool:
        """Whether the units around an engine were measured with an array of this size."""
        return not self.sizes or (config.rows == config.cols and config.rows in self.sizes)

    def _around(self, size: float) -> Mapping[str, float]:
        """Prices of the units around an engine: rows count more than columns.

        Banks, and the crossbars between them and the rows, grow with the rows. The weights are
        those that fit arrays of 16x4 and 4x16, see `synth.memory_prices`. Around larger engines
        than those that were measured, nothing is known.
        """
        if size > max(self.sizes, default=0):
            return {}
        size = max(size, min(self.sizes))
        below = max(each for each in self.sizes if each <= size)
        above = min(each for each in self.sizes if each >= size)
        share = (size - below) / (above - below) if below < above else 0.0
        return {
            event: (1 - share) * price + share * self.sizes[above][event]
            for event, price in self.sizes[below].items()
        }

    def cost_pj(self, events: Mapping[str, int]) -> float:
        """Energy in pJ of events, given how often each happens.

        Raises
        ------
        FormatError
            If an event that happens has no price.
        """
        return sum(self._price(name) * count for name, count in events.items() if count)

    def has_price(self, event: str) -> bool:
        """Whether an event has a price."""
        return self._name(event) in self.pj

    def _price(self, event: str) -> float:
        name = self._name(event)
        if name not in self.pj:
            raise FormatError(f"there is no price for {name}; use prices that have one")
        return self.pj[name]

    def _name(self, event: str) -> str:
        """An event's name in the prices."""
        is_ncu = event.startswith(f"{_PREFIX}_")
        own = f"{self.prefix}_{event.removeprefix(f'{_PREFIX}_')}"
        return own if own in self.pj or (is_ncu and event not in _ANY_KIND) else event
