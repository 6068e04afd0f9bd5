"""Synthesis of a whole engine: each distinct unit is mapped once, and counted for each place."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.rtl.layouts import mode_bits
from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ToolError
from qcnpe.spec.files import replace_text
from qcnpe.tools.process import ToolThreads
from qcnpe.yosys import run_yosys
from synth.clock_gates import size_clock_gates
from synth.errors import LibertyError, SynthesisError
from synth.liberty.library import read_library
from synth.mapping import LIBRARY_FILE, GenericGates, LibertyCells
from synth.netlist import read_netlist
from synth.root_gates import add_root_gates
from synth.row import ComplementLane, ResolveRow, ReverseFields
from synth.sizing import strengthen
from synth.structural import structural_ncu
from synth.tree_cells import OWN_CELLS, tree_cells
from synth.units import elaborate_units, leaf_rtlil, short_name
from synth.wires import Wires, committed_wires

DEFAULT_LIBERTY = Path(__file__).parent / "tech" / "axnn45.lib"
"""Our own 45 nm cells; generic gates are used where the file is missing."""

WORKERS = 2
"""Yosys processes at a time."""

PERIOD_NS = 2.0
"""Longest path for which netlists with adder trees are sized: a cycle at 500 MHz."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the finished step, the number of finished steps, and of all steps."""

_NETLIST = "netlist"
"""Base name of Yosys' results in its working folder."""

Cells = GenericGates | LibertyCells


@dataclass(frozen=True)
class UnitReport:
    """One unit of an engine, without the units that it instantiates.

    Attributes
    ----------
    name : short name
    places : number of its instances in the engine
    cells : number of each cell in one place
    flipflops : in one place
    area_um2 : of one place
    """

    name: str
    places: int
    cells: Mapping[str, int]
    flipflops: int
    area_um2: float

    @property
    def total_um2(self) -> float:
        """Area of all places."""
        return self.places * self.area_um2

    @property
    def cell_count(self) -> int:
        """Cells in one place."""
        return sum(self.cells.values())


@dataclass(frozen=True)
class SynthesisReport:
    """Area of an engine in silicon.

    Attributes
    ----------
    config : the engine
    library : name of the cell library
    units : largest share of the area first
    notes : remarks for the reader, such as cells that the library lacks
    seconds : duration of the synthesis
    """

    config: EngineConfig
    library: str
    units: tuple[UnitReport, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def area_um2(self) -> float:
        """Area of all cells of the engine."""
        return sum(unit.total_um2 for unit in self.units)

    @property
    def cell_count(self) -> int:
        """Cells of the engine."""
        return sum(unit.places * unit.cell_count for unit in self.units)

    @property
    def flipflops(self) -> int:
        """Flip-flops of the engine."""
        return sum(unit.places * unit.flipflops for unit in self.units)


def own_cells(wires: Wires | None = None) -> LibertyCells:
    """Our own library's cells, by default with the wires of the committed layout.

    Raises
    ------
    LibertyError
        If the file is missing or unusable.
    """
    return LibertyCells(read_library(DEFAULT_LIBERTY), wires=wires or committed_wires())


def choose_cells(
    liberty: Sequence[Path] = (), *, quick: bool = False, root_gates: bool = False
) -> Cells:
    """The cells of Liberty files; by default our own, or generic gates if that file is missing.

    Raises
    ------
    LibertyError
        If a named file is missing or unusable.
    """
    if not liberty and not DEFAULT_LIBERTY.is_file():
        return GenericGates()
    library = read_library(*(liberty or (DEFAULT_LIBERTY,)))
    is_foreign = tree_cells(library) is not OWN_CELLS
    return LibertyCells(library, quick, places_adders=is_foreign, root_gates=root_gates)


def synthesize(
    config: EngineConfig,
    folder: Path,
    liberty: Sequence[Path] = (),
    progress: Progress | None = None,
    *,
    quick: bool = False,
    root_gates: bool = False,
) -> SynthesisReport:
    """Map every unit of an engine to cells; the netlists go to `folder`.

    Parameters
    ----------
    config : the engine
    folder : for a Verilog netlist of each unit
    liberty : files of the cell library, by default `DEFAULT_LIBERTY`
    progress : called after every unit
    quick : less effort in optimisation, for a first look
    root_gates : gate the clock at the root of each unit

    Raises
    ------
    LibertyError
        If the library is missing or unusable.
    SynthesisError
        If the folder cannot be written or Yosys stops.
    """
    began = time.monotonic()
    cells = choose_cells(liberty, quick=quick, root_gates=root_gates)
    make_folder(folder)
    jobs, notes = _jobs(config, cells)
    reports = tuple(_map_jobs(jobs, cells, folder, progress))
    seconds = time.monotonic() - began
    return SynthesisReport(config, cells.name, reports, (*cells.notes, *notes), seconds)


def map_units(
    config: EngineConfig, cells: Cells, folder: Path, *, known: Mapping[str, UnitReport]
) -> list[UnitReport]:
    """Map the units of an engine to cells, those that are known already excepted.

    Parameters
    ----------
    config : the engine
    cells : target of the mapping
    folder : for a Verilog netlist of each unit
    known : units of other engines, by name

    Returns
    -------
    The units, largest share of the area first.
    """
    jobs, _ = _jobs(config, cells)
    new = [job for job in jobs if short_name(job.module) not in known]
    found = _map_jobs(new, cells, folder)
    places = {short_name(job.module): job.places for job in jobs}
    found += [replace(known[name], places=n) for name, n in places.items() if name in known]
    return sorted(found, key=_by_area)


def _map_jobs(
    jobs: Sequence["_Job"], cells: Cells, folder: Path, progress: Progress | None = None
) -> list[UnitReport]:
    """The mapped units, largest share of the area first."""
    reports: list[UnitReport] = []
    with ToolThreads(WORKERS) as pool:
        waiting = [pool.submit(_map_job, job, cells, folder) for job in jobs]
        for done in as_completed(waiting):
            reports.append(done.result())
            if progress:
                progress(reports[-1].name, len(reports), len(jobs))
    return sorted(reports, key=_by_area)


def _by_area(unit: UnitReport) -> tuple[float, str]:
    return -unit.total_um2, unit.name


@dataclass(frozen=True)
class _Job:
    """One unit to map: its design, the number of its instances, commands to run first."""

    module: str
    places: int
    rtlil: str
    before: tuple[str, ...] = ()


def _jobs(config: EngineConfig, cells: Cells) -> tuple[list[_Job], tuple[str, ...]]:
    """All units; with structural neural compute units (NCUs) if there is a library for silicon."""
    units = elaborate_units(config)
    jobs = {
        name: _Job(name, places, units.rtlil_of(name), units.keep_apart(name))
        for name, places in units.places.items()
    }
    if config.kind.is_for_fpga or not isinstance(cells, LibertyCells):
        reason = (
            f"ncu {config.ncu} is laid out for an FPGA"
            if config.kind.is_for_fpga
            else "no cell library"
        )
        return list(jobs.values()), (f"NCUs are mapped from their behaviour: {reason}",)
    ncu = structural_ncu(config, cells.library)
    places = jobs.pop(ncu.replaced_module).places
    parts: list[tuple[Leaf, int]] = [
        (ResolveRow(config, ncu.tree.breaks), config.rows),
        (ComplementLane(), config.rows),
    ]
    if mode_bits(config):
        parts.append((ReverseFields(config), config.cols))
    jobs[ncu.module_name] = _Job(ncu.module_name, places, ncu.rtlil())
    jobs |= {leaf.module_name: _Job(leaf.module_name, n, leaf_rtlil(leaf)) for leaf, n in parts}
    return list(jobs.values()), (ncu.tree.cells.note,)


def _map_job(job: _Job, cells: Cells, folder: Path) -> UnitReport:
    name = short_name(job.module)
    counts = map_design(job.rtlil, job.module, cells, folder / f"{name}.v", job.before)
    return UnitReport(
        name=name,
        places=job.places,
        cells=counts,
        flipflops=sum(n for cell, n in counts.items() if cells.is_flipflop(cell)),
        area_um2=sum(n * cells.area_um2(cell) for cell, n in counts.items()),
    )


def make_folder(folder: Path) -> None:
    """Make a folder; `SynthesisError` if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SynthesisError(
            f"{folder}: {error.strerror or error}; choose a folder that can be written"
        ) from error


def map_design(
    rtlil: str, top: str, cells: Cells, netlist: Path, before: tuple[str, ...] = ()
) -> Mapping[str, int]:
    """Map a module of a design to cells.

    Parameters
    ----------
    rtlil : the design
    top : the module
    cells : target of the mapping
    netlist : Verilog file to write; the netlist as JSON is written beside it
    before : commands to run first, such as a `blackbox` of submodules

    Returns
    -------
    dict
        Number of each cell, without submodules.
    """
    with TemporaryDirectory(prefix="qcnpe-") as name:
        scratch = Path(name)
        for file, text in cells.files.items():
            (scratch / file).write_text(text)
        (scratch / "design.il").write_text(rtlil)
        read = ("read_rtlil design.il", f"hierarchy -check -top \\{top}")
        begin = (*cells.read, *read, *before, *cells.to_gates)
        end = (*cells.to_cells, "delete t:$scopeinfo", *_write(top))
        if isinstance(cells, LibertyCells) and cells.library.clock_gates:
            _run_gated(begin, end, top, cells, scratch)
        else:
            _run((*begin, *end), cells, scratch)
        as_json = scratch / f"{_NETLIST}.json"
        if isinstance(cells, LibertyCells) and cells.sizes_trees:
            _size(as_json, top, cells, scratch)
        module = json.loads(as_json.read_text())["modules"][top]
        for ending in (".v", ".json"):
            replace_text(netlist.with_suffix(ending), (scratch / f"{_NETLIST}{ending}").read_text())
    counts = Counter(cell["type"] for cell in module["cells"].values())
    return {cell: count for cell, count in sorted(counts.items()) if _is_cell(cell, cells)}


def _run_gated(
    begin: Sequence[str], end: Sequence[str], top: str, cells: LibertyCells, folder: Path
) -> None:
    """Map a module with clock gates, also at its root if that is wanted; size all of them."""
    netlist = folder / f"{_NETLIST}.json"
    if cells.root_gates:
        gates = folder / "gates.json"
        _run((*begin, f"write_json {gates.name}"), cells, folder)
        found = json.loads(gates.read_text())["modules"]
        modules = {name: body for name, body in found.items() if name not in cells.library.sources}
        modules[top] = add_root_gates(modules[top], cells.library)
        gates.write_text(json.dumps({"modules": modules}))
        begin = (*cells.read, f"read_json {gates.name}")
    _run((*begin, *end), cells, folder)
    module = size_clock_gates(json.loads(netlist.read_text())["modules"][top], cells.library)
    netlist.write_text(json.dumps({"modules": {top: module}}))
    _run((*cells.read, f"read_json {netlist.name}", *_write(top)), cells, folder)


def _size(as_json: Path, top: str, cells: LibertyCells, folder: Path) -> None:
    """Size a mapped netlist as a whole, if it has placed full adders."""
    document = json.loads(as_json.read_text())
    placed = document["modules"][top]["cells"]
    if not all(cell["type"] in cells.library.cells for cell in placed.values()):
        return  # other units are inside
    kinds = [cells.library.cells[cell["type"]] for cell in placed.values()]
    if not any(kind.full_adder_pins or kind.inverting_full_adder_pins for kind in kinds):
        return
    sized = strengthen(read_netlist(as_json, top), cells.library, cells.wires, PERIOD_NS)
    for cell in sized.placed:
        placed[cell.name]["type"] = cell.cell
    as_json.write_text(json.dumps(document))
    _run((*cells.read, f"read_json {as_json.name}", *_write(top)), cells, folder)


def _write(top: str) -> tuple[str, ...]:
    verilog = f"write_verilog -noattr -selected {_NETLIST}.v"
    return (f"select \\{top}", f"write_json -selected {_NETLIST}.json", verilog, "select -clear")


def _run(commands: Sequence[str], cells: Cells, folder: Path) -> None:
    try:
        run_yosys(commands, folder)
    except ToolError as error:
        raise _explain(error, cells) from error


def _is_cell(kind: str, cells: Cells) -> bool:
    return kind.startswith("$") or (isinstance(cells, LibertyCells) and kind in cells.library.cells)


def _explain(error: ToolError, cells: Cells) -> Exception:
    if isinstance(cells, LibertyCells) and (LIBRARY_FILE in str(error) or "ABC" in str(error)):
        return LibertyError(f"{cells.library.where}: {error}; try without --liberty")
    return SynthesisError(str(error))
