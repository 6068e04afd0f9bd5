"""Limits of what a candidate may cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan

from axnn.exploration.candidates import COSTS, Candidate
from qcnpe.spec.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """The largest value of some costs.

    Attributes
    ----------
    largest : pairs of a cost, one of `COSTS`, and its limit

    Raises
    ------
    ConfigError
        If there is no such cost, or a limit is no number.
    """

    largest: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.largest:
            if name not in COSTS:
                raise ConfigError(f"limit must be of {', '.join(COSTS)}, not of {name!r}")
            if isnan(value):
                raise ConfigError(f"limit of {name} must be a number, not {value}")

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Limits":
        """Limits as the command line has them: `area_um2=200000`."""
        found = []
        for text in texts:
            name, _, value = text.partition("=")
            try:
                found.append((name, float(value)))
            except ValueError:
                raise ConfigError(f"limit must be like area_um2=200000, not {text!r}") from None
        return cls(tuple(found))

    def allow(self, candidate: Candidate) -> bool:
        """Whether a candidate is within all limits."""
        return all(getattr(candidate, name) <= value for name, value in self.largest)

    def least(self, candidates: Sequence[Candidate]) -> str:
        """The least of each cost that is limited, for a message."""
        return ", ".join(
            f"{name} {min(getattr(each, name) for each in candidates):g}"
            for name, _ in self.largest
        )
