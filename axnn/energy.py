"""Energy of a network on an engine: the compiled program's event counts times a table of prices."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from qcnpe.compiler import compile_network
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.qnet import QuantNet

DEFAULT_TABLE = "energy_45nm.json"
"""The committed table in the package `synth`."""

PROGRAM_BATCH = 64
"""Samples of the program that is priced: enough to spread loading and draining over."""

_PLAIN_MAC = "plain16_mac_16b"
_MAC = "ncu_mac_16b"


@dataclass(frozen=True)
class EnergyTable:
    """What each event costs.

    Attributes
    ----------
    pj : energy of one event in pJ, by the event's name
    provenance : where the numbers come from
    """

    pj: Mapping[str, float]
    provenance: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path | None = None) -> "EnergyTable":
        """Read a table from a file, by default the committed one.

        Raises
        ------
        FormatError
            If the file is missing or damaged.
        """
        if path is None:
            with as_file(files("synth") / DEFAULT_TABLE) as bundled:
                return cls.load(bundled)
        try:
            document = json.loads(path.read_text())
            prices = {str(name): float(value) for name, value in document["pj"].items()}
            return cls(prices, dict(document.get("provenance", {})))
        except FileNotFoundError:
            raise FormatError(
                f"{path}: no such energy table; make it with `make synth` or name another"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"{path}: not an energy table ({error})") from error

    def for_engine(self, config: EngineConfig) -> "EnergyTable":
        """The table with the prices of the engine's kind of NCU."""
        if config.ncu != "plain16":
            return self
        return replace(self, pj={**self.pj, _MAC: self._price(_PLAIN_MAC)})

    def cost_pj(self, events: Mapping[str, int]) -> float:
        """Energy in pJ of events, given how often each happens.

        Raises
        ------
        FormatError
            If an event that happens has no price.
        """
        return sum(self._price(name) * count for name, count in events.items() if count)

    def _price(self, event: str) -> float:
        if event not in self.pj:
            raise FormatError(
                f"the energy table has no price for {event}; use a table that has one"
            )
        return self.pj[event]


@dataclass(frozen=True)
class Cost:
    """What a network costs for one sample.

    Attributes
    ----------
    energy_pj : of the engine
    layers_pj : of each layer
    cycles : of the engine
    """

    energy_pj: float
    layers_pj: tuple[float, ...]
    cycles: float


@dataclass(frozen=True)
class EnergyModel:
    """Prices networks for one engine.

    Attributes
    ----------
    table : prices
    config : the engine
    """

    table: EnergyTable
    config: EngineConfig

    @cached_property
    def exact_config(self) -> EngineConfig:
        """The same engine without any configurability: what an approximation is compared with."""
        return replace(self.config, ncu="plain16", precisions=(OPERAND_BITS,))

    def cost(self, net: QuantNet) -> Cost:
        """Cost of a network on the engine."""
        return self._cost(net, self.config)

    def exact_cost(self, net: QuantNet) -> Cost:
        """Cost of an exact 16-bit network on an engine that knows nothing else."""
        return self._cost(net, self.exact_config)

    def _cost(self, net: QuantNet, config: EngineConfig) -> Cost:
        program = compile_network(net, config, PROGRAM_BATCH)
        table = self.table.for_engine(config)
        return Cost(
            energy_pj=table.cost_pj(program.counts.events()) / PROGRAM_BATCH,
            layers_pj=tuple(
                table.cost_pj(counts.events()) / PROGRAM_BATCH for counts in program.layer_counts
            ),
            cycles=program.cycles / PROGRAM_BATCH,
        )
