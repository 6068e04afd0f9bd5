"""Area of an autonomous engine's memory side, unit by unit: `python -m synth.memory_side`.

The units are mapped to our own cells. The memories themselves are macros: their bits are told, and
their areas and energies are those of `synth.memories`.
"""

import argparse
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.command_line import command
from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.axi_reader import AxiReader
from qcnpe.rtl.memory.axi_writer import AxiWriter
from qcnpe.rtl.memory.memory_side import MemorySide
from qcnpe.rtl.memory.sram import MacroLibrary
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.results import package_versions, results_document
from qcnpe.terminal import Console
from synth.flow import map_design, own_cells
from synth.mapping import LibertyCells
from synth.units import Units

_SIDE = "memory_side"
_CHILD = re.compile(rf"^module \\({_SIDE}\.[^.\s]+)$", re.MULTILINE)
_QUEUE = re.compile(r"^  cell \\(qcnpe_fifo_\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class PartArea:
    """One unit with all that is inside, without memories.

    Attributes
    ----------
    name : as in the Verilog
    area_um2 : of its cells
    flipflops : among them, each of which the clock reaches in every cycle unless it is gated
    """

    name: str
    area_um2: float
    flipflops: int


def parts(config: MemoryConfig) -> Iterator[tuple[str, str]]:
    """Module and RTLIL of every unit, memories as black boxes.

    Parameters
    ----------
    config : the memories
    """
    library = MacroLibrary()
    bus = {"data_bits": config.bus_bits, "address_bits": config.address_bits}
    bodies: dict[str, Component] = {
        _SIDE: MemorySide(config),
        "axi_reader": AxiReader(**bus),
        "axi_writer": AxiWriter(**bus),
    }
    texts = {name: library.convert(body, name, body) for name, body in bodies.items()}
    units = Units("".join((*library.modules.values(), *texts.values())), {})
    side = texts.pop(_SIDE)
    (own,) = (text for text in re.split(r"(?<=^end\n)", side, flags=re.MULTILINE) if _is_top(text))
    for module in (*_CHILD.findall(side), *dict.fromkeys(_QUEUE.findall(own)), *texts):
        yield module, units.rtlil_of(module)


def _is_top(text: str) -> bool:
    """Whether a module is the whole memory side, in which there are queues but no logic."""
    return f"module \\{_SIDE}\n" in text


def map_parts(config: MemoryConfig, cells: LibertyCells, folder: Path) -> Iterator[PartArea]:
    """Map one unit after the other.

    Parameters
    ----------
    config : the memories
    cells : target of the mapping
    folder : for a Verilog netlist of each unit
    """
    for module, rtlil in parts(config):
        name = module.removeprefix(f"{_SIDE}.").partition("$")[0]
        counts = map_design(rtlil, module, cells, folder / f"{name}.v")
        logic = {cell: n for cell, n in counts.items() if not cell.startswith("qcnpe_sram")}
        yield PartArea(
            name,
            round(sum(n * cells.area_um2(cell) for cell, n in logic.items()), 1),
            sum(n for cell, n in logic.items() if cells.is_flipflop(cell)),
        )


def measure(config: MemoryConfig, report: Callable[[str], None]) -> dict[str, float]:
    """All figures, by key: of every unit, bits of every memory, and sums."""
    figures: dict[str, float] = {}
    with TemporaryDirectory(prefix="qcnpe-") as folder:
        for part in map_parts(config, own_cells(), Path(folder)):
            report(f"{part.name:18} {part.area_um2:10,.0f} um2 {part.flipflops:6} flip-flops")
            figures[f"{part.name}.um2"] = part.area_um2
            figures[f"{part.name}.flipflops"] = part.flipflops
    for memory in Memory:
        bits = config.depth(memory) * config.row_content_bits(memory)
        figures[f"{memory.name.lower()}.bits"] = bits
    for kind in ("um2", "flipflops", "bits"):
        found = [value for name, value in figures.items() if name.endswith(f".{kind}")]
        figures[kind] = round(sum(found), 1)
    return dict(sorted(figures.items()))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m synth.memory_side", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--size", type=int, default=16, help="rows and columns of the engine")
    options = parser.parse_args()
    size = options.size
    config = MemoryConfig.default(EngineConfig(rows=size, cols=size))
    document = results_document(
        f"python -m synth.memory_side --size {size}",
        measure(config, Console().print),
        seed=None,
        versions=package_versions(["amaranth", "pyosys"]),
        engine=f"{size}x{size}, memories of default sizes; LANES is there twice",
    )
    write_document(options.out, document, indent=1)


if __name__ == "__main__":
    with command("memory_side"):
        main()
