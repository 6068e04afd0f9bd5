"""The engines that are compared."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.ncu_kind import find_kind


@dataclass(frozen=True, kw_only=True)
class Space:
    """Values of each parameter; all combinations that exist are engines.

    Attributes
    ----------
    rows, cols : sizes of the array
    precisions : sets of operand widths; a kind of NCU takes those of a set that it supports
    ncus : kinds of NCU

    Raises
    ------
    ConfigError
        If a parameter has no value.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    precisions: tuple[tuple[int, ...], ...]
    ncus: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "precisions", "ncus"):
            if not getattr(self, name):
                raise ConfigError(f"{name} must hold at least one value")

    def engines(self, base: EngineConfig) -> list[EngineConfig]:
        """The engines, each once, in the order of their parameters.

        Parameters
        ----------
        base : what else their parameters are
        """
        return list(dict.fromkeys(self._all(base)))

    def _all(self, base: EngineConfig) -> Iterator[EngineConfig]:
        for ncu, widths, rows, cols in product(self.ncus, self.precisions, self.rows, self.cols):
            chosen = find_kind(ncu).choose(widths)
            yield replace(base, rows=rows, cols=cols, precisions=chosen, ncu=ncu)
