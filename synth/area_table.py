"""Measures the areas that the area model is fitted to: `python -m synth.area_table`.

Engines of several kinds, widths and sizes are synthesised, and then ten others, which say how far
the model is off. A unit that occurs in several engines is mapped once: mapped again it would be the
same.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qcnpe.area import FILE, AreaModel, EngineArea
from qcnpe.command_line import command
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import package_versions
from qcnpe.terminal import Progress
from synth.flow import UnitReport, choose_cells, map_units

TABLE = Path(__file__).with_name(FILE)
"""The committed file."""

_SIZES = ((4, 8), (8, 4))
_MORE_SIZES = ((2, 3), (4, 16), (8, 8), (16, 4), (16, 16), (32, 8), (8, 32))
_FUSED = ((16,), (16, 8), (16, 4), (16, 2), (16, 8, 4, 2))
_GATED = ((16,), (16, 8), (16, 8, 4, 2))


def fitted_engines() -> list[EngineConfig]:
    """Engines that the model is fitted to."""
    sets = [("fused", widths) for widths in _FUSED]
    sets += [("gated", widths) for widths in _GATED] + [("plain16", (16,))]
    found = [
        EngineConfig(rows=rows, cols=cols, precisions=widths, ncu=ncu)
        for ncu, widths in sets
        for rows, cols in _SIZES
    ]
    return found + [EngineConfig(rows=rows, cols=cols) for rows, cols in _MORE_SIZES]


def checked_engines() -> list[EngineConfig]:
    """Ten engines that are not among them."""
    return [
        EngineConfig(rows=3, cols=5),
        EngineConfig(rows=6, cols=6, precisions=(16, 8)),
        EngineConfig(rows=8, cols=4, precisions=(16, 8, 4)),
        EngineConfig(rows=12, cols=12),
        EngineConfig(rows=16, cols=32),
        EngineConfig(rows=24, cols=8, precisions=(16, 4)),
        EngineConfig(rows=5, cols=20, ncu="gated", precisions=(16, 8, 4, 2)),
        EngineConfig(rows=10, cols=10, ncu="gated", precisions=(16, 10, 6)),
        EngineConfig(rows=16, cols=16, ncu="plain16", precisions=(16,)),
        EngineConfig(rows=2, cols=8, precisions=(16, 2)),
    ]


def _key(name: str, config: EngineConfig) -> str | None:
    """What a unit depends on, by which it is known again; None if that is most of the engine."""
    if any(letter.isdigit() for letter in name):
        return name  # which says all parameters
    sizes = {"row_skew": config.rows, "col_skew": config.cols}
    return f"{name} {sizes[name]}" if name in sizes else None


def areas(
    engines: Sequence[EngineConfig], known: dict[str, UnitReport], tell: Callable[[], None]
) -> list[EngineArea]:
    """Areas of engines.

    Parameters
    ----------
    engines : the engines
    known : units that have been mapped, by what they depend on; new ones are added
    tell : called after each engine
    """
    cells = choose_cells()
    found = []
    with TemporaryDirectory(prefix="areas-") as folder:
        for config in engines:
            skews = {name: _key(name, config) for name in ("row_skew", "col_skew")}
            usable = known | {name: known[key] for name, key in skews.items() if key in known}
            units = map_units(config, cells, Path(folder), known=usable)
            known |= {key: unit for unit in units if (key := _key(unit.name, config))}
            found.append(_area(config, units))
            tell()
    return found


def _area(config: EngineConfig, units: Iterable[UnitReport]) -> EngineArea:
    area = sum(unit.total_um2 for unit in units)
    return EngineArea(
        rows=config.rows,
        cols=config.cols,
        precisions=config.precisions,
        ncu=config.ncu,
        area_um2=round(area, 1),
    )


def measure() -> dict[str, Any]:
    """Synthesise all engines; returns the file's document."""
    fitted, checked = fitted_engines(), checked_engines()
    known: dict[str, UnitReport] = {}
    with Progress() as bar:
        task = bar.add_task("engines", total=len(fitted) + len(checked))

        def tell() -> None:
            bar.advance(task)

        return {
            "command": "python -m synth.area_table",
            "library": choose_cells().name,
            "versions": package_versions(("amaranth", "pyosys")),
            "fitted": [asdict(engine) for engine in areas(fitted, known, tell)],
            "checked": [asdict(engine) for engine in areas(checked, known, tell)],
        }


def main() -> None:
    """Measure, and print how far the model is off for each of the ten engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE)
    out = parser.parse_args().out
    with command("area_table"):
        write_document(out, measure(), indent=1)
        model = AreaModel.load(out)
        for config, error in model.errors():
            print(f"{config.title}: {error:+.1%}")


if __name__ == "__main__":
    main()
