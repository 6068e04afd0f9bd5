"""A model of an engine's area, fitted to synthesised engines.

The area is a sum of parts that grow with what the engine has of something: units, rows, columns,
bits of its queues. The price of each part is fitted to the engines of a file, which
`python -m synth.area_table` makes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import read_document
from qcnpe.spec.errors import ConfigError, FormatError

FILE = "area_45nm.json"
"""Name of the committed file in the package `synth`."""


def fit_prices(quantities: NDArray[np.float64], areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(parts,) areas of one of each part: the least squares of relative errors.

    Parameters
    ----------
    quantities : (designs, parts) how much of each part a design has
    areas : (designs,) in um2, positive
    """
    scaled = quantities / areas[:, None]
    return np.asarray(np.linalg.lstsq(scaled, np.ones(len(areas)), rcond=None)[0])


@dataclass(frozen=True, kw_only=True)
class EngineArea:
    """A synthesised engine.

    Attributes
    ----------
    rows, cols, precisions, ncu : of the engine
    area_um2 : of all of its cells
    """

    rows: int
    cols: int
    precisions: tuple[int, ...]
    ncu: str
    area_um2: float

    @property
    def config(self) -> EngineConfig:
        """The engine."""
        return EngineConfig(
            rows=self.rows, cols=self.cols, precisions=self.precisions, ncu=self.ncu
        )


@dataclass(frozen=True)
class _File:
    """What the file holds."""

    command: str
    library: str
    fitted: list[EngineArea]
    checked: list[EngineArea]
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AreaModel:
    """Areas of engines that have not been synthesised.

    Attributes
    ----------
    library : name of the cell library
    fitted : engines that the prices of parts are fitted to
    checked : other engines, by which the model is judged
    """

    library: str
    fitted: tuple[EngineArea, ...]
    checked: tuple[EngineArea, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> "AreaModel":
        """Read a file, by default the committed one.

        Raises
        ------
        FormatError
            If it is damaged, or holds too few engines.
        """
        if path is None:
            with as_file(files("synth") / FILE) as bundled:
                return cls.load(bundled)
        found = read_document(path, _File)
        model = cls(found.library, tuple(found.fitted), tuple(found.checked))
        if len(model.fitted) <= len(model._parts):
            raise FormatError(f"{path}: too few engines; make it again: python -m synth.area_table")
        return model

    def area_um2(self, config: EngineConfig) -> float:
        """Area of an engine's cells.

        Raises
        ------
        ConfigError
            If the model knows no engine of its kind.
        """
        if config.ncu not in self._kinds:
            known = ", ".join(sorted(self._kinds))
            raise ConfigError(f"the area of ncu {config.ncu} is not known, only of {known}")
        parts = self._quantities(config)
        return sum(self._prices[name] * quantity for name, quantity in parts.items())

    def errors(self) -> Iterator[tuple[EngineConfig, float]]:
        """The checked engines, and how far the model is off for each, as a share of its area."""
        for engine in self.checked:
            yield engine.config, self.area_um2(engine.config) / engine.area_um2 - 1

    @cached_property
    def _kinds(self) -> frozenset[str]:
        return frozenset(engine.ncu for engine in self.fitted)

    @cached_property
    def _parts(self) -> list[str]:
        """Names of all parts that occur."""
        found = (name for engine in self.fitted for name in self._quantities(engine.config))
        return list(dict.fromkeys(found))

    @cached_property
    def _prices(self) -> dict[str, float]:
        """Area of one of each part: the least squares of relative errors."""
        rows = np.array(
            [
                [self._quantities(engine.config).get(name, 0.0) for name in self._parts]
                for engine in self.fitted
            ]
        )
        prices = fit_prices(rows, np.array([engine.area_um2 for engine in self.fitted]))
        return dict(zip(self._parts, prices.tolist(), strict=True))

    @staticmethod
    def _quantities(config: EngineConfig) -> dict[str, float]:
        """How much of each part an engine has."""
        rows, cols, narrow = config.rows, config.cols, config.narrow_precisions
        array, places, copies = rows * cols, rows * config.result_depth, sum(narrow)
        found = {
            "base": 1.0,
            "rows": rows,
            "cols": cols,
            "square of rows": rows**2,  # skew registers
            "square of columns": cols**2,
            "places of results": places,
            "bits of copies in places": places * copies,
            "bits of copies in rows": rows * copies,
            "rows with copies": rows * bool(narrow),
            f"ncu {config.ncu}": array,
        }
        for width in narrow if config.kind.is_packed else ():
            found[f"ncu {config.ncu} at {width}"] = array
        if narrow and not config.kind.is_packed:
            found[f"ncu {config.ncu} narrow widths"] = array * len(narrow)
        return {name: float(quantity) for name, quantity in found.items()}
