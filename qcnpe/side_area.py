"""A model of the area of an autonomous engine's memory side, fitted to synthesised ones.

The area is a sum of parts: one that is always there, others that grow with rows, with columns, and
with the crossbars between rows and activation banks. `python -m synth.memory_side_areas` makes the
file of areas that the price of each part is fitted to.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.area import fit_prices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import read_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.memory.config import MemoryConfig

FILE = "memory_side_area_45nm.json"
"""Name of the committed file in the package `synth`."""

_PARTS = 4


@dataclass(frozen=True, kw_only=True)
class SideArea:
    """The memory side of an engine, with memories of default sizes.

    Attributes
    ----------
    rows, cols : of the engine
    area_um2 : of the cells, without memories
    """

    rows: int
    cols: int
    area_um2: float

    @property
    def parts(self) -> tuple[float, ...]:
        """How much of each part there is."""
        return _parts(EngineConfig(rows=self.rows, cols=self.cols))


def _parts(config: EngineConfig) -> tuple[float, ...]:
    rows, banks = config.rows, MemoryConfig.default(config).banks
    return (1.0, float(rows), float(rows * banks), float(config.cols))


@dataclass(frozen=True)
class _File:
    """What the file holds."""

    command: str
    library: str
    fitted: list[SideArea]
    checked: list[SideArea]
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SideAreaModel:
    """Areas of memory sides that have not been synthesised.

    Attributes
    ----------
    fitted : those that the prices of parts are fitted to
    checked : others, by which the model is judged
    """

    fitted: tuple[SideArea, ...]
    checked: tuple[SideArea, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> "SideAreaModel":
        """Read a file, by default the committed one.

        Raises
        ------
        FormatError
            If it is damaged, or holds too few areas.
        """
        if path is None:
            with as_file(files("synth") / FILE) as bundled:
                return cls.load(bundled)
        found = read_document(path, _File)
        if len(found.fitted) <= _PARTS or min(each.area_um2 for each in found.fitted) <= 0:
            remedy = "make it again: python -m synth.memory_side_areas"
            raise FormatError(f"{path}: too few areas, or one that is not positive; {remedy}")
        return cls(tuple(found.fitted), tuple(found.checked))

    def area_um2(self, config: EngineConfig) -> float | None:
        """Area of the memory side around an engine; None outside of the sizes that were fitted."""
        for size in ("rows", "cols"):
            known = [getattr(each, size) for each in self.fitted]
            if not min(known) <= getattr(config, size) <= max(known):
                return None
        return float(self._prices @ _parts(config))

    def errors(self) -> Iterator[tuple[SideArea, float]]:
        """The checked ones, and how far the model is off for each, as a share of its area."""
        for each in self.checked:
            yield each, float(self._prices @ each.parts) / each.area_um2 - 1

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        """Area of one of each part."""
        parts = np.array([each.parts for each in self.fitted])
        return fit_prices(parts, np.array([each.area_um2 for each in self.fitted]))
