"""A cell library, read from one Liberty file or from several."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from qcnpe.spec.errors import FormatError, one_line
from qcnpe.spec.files import read_limited
from synth.errors import LibertyError
from synth.liberty.cell_reader import CellReader
from synth.liberty.cells import Cell, CellKind
from synth.liberty.grammar import Group, parse
from synth.liberty.models import CellModel, read_model
from synth.liberty.units import read_supply

LIMIT_BYTES = 256 << 20
"""Largest file that is read: twenty times a library of 400 cells in 130 nm."""

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"PK\x03\x04")
"""How files of gzip, bzip2, xz, zstd and zip begin; kits often come so."""


@dataclass(frozen=True)
class Library:
    """A parsed cell library.

    Attributes
    ----------
    paths : its files
    name : its name; of several files, all distinct names
    stated_supply_v : its nominal supply, if the file states it
    cells : cells for logic, by name
    damaged : for each cell that cannot be read, the reason
    sources : for each cell the reader of its file, and its group
    """

    paths: tuple[Path, ...]
    name: str
    stated_supply_v: float | None
    cells: Mapping[str, Cell]
    damaged: Mapping[str, str]
    sources: Mapping[str, tuple[CellReader, Group]] = field(repr=False, compare=False)

    @property
    def where(self) -> str:
        """The files, for messages."""
        return ", ".join(map(str, self.paths))

    @property
    def supply_v(self) -> float:
        """Nominal supply; `LibertyError` if the file does not state it."""
        if self.stated_supply_v is None:
            raise LibertyError(f"{self.where}: says no supply; add nom_voltage")
        return self.stated_supply_v

    def area_um2(self, cell: str) -> float:
        """Area of a cell."""
        return self.cells[cell].area_um2

    @cached_property
    def is_timed(self) -> bool:
        """Whether any cell has delays; gates without delays are then not placed."""
        return any(cell.inputs and cell.is_timed for cell in self._gates)

    @cached_property
    def for_mapping(self) -> tuple[Cell, ...]:
        """Cells that a mapper may place."""
        untimed = {cell.name for cell in self._gates if self.is_timed and not cell.is_timed}
        found = (cell for cell in self.cells.values() if cell.for_mapping)
        return tuple(cell for cell in found if cell.name not in untimed)

    @property
    def _gates(self) -> Iterator[Cell]:
        """Gates for the mapper: those with one output."""
        return (cell for cell in self.cells.values() if cell.table)

    @cached_property
    def flipflops(self) -> frozenset[str]:
        """Cells that store a bit on an edge."""
        found = self.cells.values()
        return frozenset(cell.name for cell in found if cell.kind is CellKind.FLIPFLOP)

    @cached_property
    def clock_gates(self) -> tuple[str, ...]:
        """Clock gates for rising-edge flip-flops that may be placed, the smallest first."""
        return self._smallest_first(
            cell for cell in self.for_mapping if cell.kind is CellKind.CLOCK_GATE
        )

    @cached_property
    def full_adders(self) -> tuple[str, ...]:
        """Cells with the functions of a full adder that may be placed, the smallest first."""
        return self._smallest_first(cell for cell in self.for_mapping if cell.full_adder_pins)

    def _smallest_first(self, cells: Iterator[Cell]) -> tuple[str, ...]:
        return tuple(cell.name for cell in sorted(cells, key=lambda cell: cell.area_um2))

    def models(self, names: Iterable[str]) -> dict[str, CellModel]:
        """Models of some cells, for simulation.

        Raises
        ------
        LibertyError
            If a cell is not in the library, or its tables are damaged.
        """
        found = {}
        for name in names:
            if name not in self.cells:
                raise LibertyError(f"{self.where}: has no cell {name}; synthesise again")
            reader, group = self.sources[name]
            try:
                found[name] = read_model(self.cells[name], group, reader)
            except LibertyError as error:
                raise LibertyError(f"{self.where}: cell {name}: {error}") from error
        return found


def read_library(*paths: Path) -> Library:
    """Read a library from one Liberty file or several.

    Raises
    ------
    LibertyError
        If a file is missing, too large or not Liberty; if two files hold the same cell or are for
        different supplies; if there are no cells.
    """
    roots = [root for path in paths for root in _read_roots(path)]
    where = ", ".join(map(str, paths))
    try:
        supplies = {read_supply(root) for root in roots}
        readers = [(CellReader(root), root) for root in roots]
    except LibertyError as error:
        raise LibertyError(f"{where}: {error}; correct the file") from error
    if len(supplies) > 1:
        raise LibertyError(f"{where}: made for different supplies; give files of one corner")
    sources: dict[str, tuple[CellReader, Group]] = {}
    for reader, group in ((reader, g) for reader, root in readers for g in root.of_kind("cell")):
        if group.name in sources:
            raise LibertyError(f"{where}: {group.name} is there twice; give each cell once")
        sources[group.name] = reader, group
    if not sources:
        raise LibertyError(f"{where}: holds no library with cells; give a Liberty file (.lib)")
    (supply,) = supplies
    cells, damaged = _read_cells(sources)
    return Library(
        paths=tuple(paths),
        name=" + ".join(dict.fromkeys(root.name for root in roots)),
        stated_supply_v=supply,
        cells=cells,
        damaged=damaged,
        sources=sources,
    )


def _read_cells(
    sources: Mapping[str, tuple[CellReader, Group]],
) -> tuple[dict[str, Cell], dict[str, str]]:
    cells: dict[str, Cell] = {}
    damaged: dict[str, str] = {}
    for name, (reader, group) in sources.items():
        try:
            cell = reader.read(group)
        except LibertyError as error:
            damaged[name] = one_line(error)
        else:
            if cell is not None:
                cells[name] = cell
    return cells, damaged


def _read_roots(path: Path) -> list[Group]:
    try:
        content = read_limited(path, LIMIT_BYTES)
    except OSError as error:
        raise LibertyError(f"{path}: {error.strerror}; name a Liberty file") from error
    except FormatError as error:
        what, _, _ = str(error).partition(";")
        raise LibertyError(f"{what}; name a Liberty file") from error
    if content.startswith(_COMPRESSED):
        raise LibertyError(f"{path}: is compressed; unpack it, such as with gunzip")
    roots = parse(content.decode(errors="replace"), str(path))
    if not roots or any(root.kind != "library" for root in roots):
        raise LibertyError(f"{path}: holds no library with cells; give a Liberty file (.lib)")
    return roots
