"""Places and routes the NCUs; writes their layouts, and the lengths of their wires.

    python -m synth.layout

Writes LEF, DEF, GDS and a picture of each NCU below build/layout, `synth/tech/wires.json`, the
picture of the documentation, and figures into `results/energy.json`.
"""

from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.spec.documents import write_document
from qcnpe.spec.files import replace_bytes, replace_text
from qcnpe.spec.results import add_figures
from qcnpe.terminal import Console
from qcnpe.tools.extras import require_modules
from qcnpe.tools.process import ToolThreads
from synth.energy_table import RESULTS
from synth.flow import own_cells
from synth.layout.abstract import lef_text
from synth.layout.exchange import def_text, write_gds
from synth.layout.units import (
    COMMAND,
    UNITS,
    LaidOut,
    fanout_errors,
    lay_out_ncu,
    ncu_bench,
    wires_file,
)
from synth.traces import load
from synth.wires import FF_PER_UM, WIRES_FILE

FOLDER = Path(__file__).parents[2] / "build" / "layout"
PICTURE = RESULTS.with_name("layout_fused.png")
_WORKERS = 2


def write_layout(name: str, unit: LaidOut, folder: Path) -> None:
    """LEF, DEF, GDS and picture of a unit."""
    lef, design = folder / f"{name}.lef", folder / f"{name}.def"
    replace_text(lef, lef_text(unit.routing.design.cells.values()))
    replace_text(design, def_text(unit.routing))
    write_gds(lef, design, folder / f"{name}.gds", folder / f"{name}.png")


def figures(laid_out: dict[str, LaidOut]) -> dict[str, float]:
    """The figures of `results/energy.json`."""
    nets = sum(len(unit.routing.design.nets) for unit in laid_out.values())
    total = sum(unit.um_per_net * len(unit.routing.design.nets) for unit in laid_out.values())
    found: dict[str, float] = {
        "wire_ff_per_um": FF_PER_UM,
        "wire_um_per_net": round(total / nets, 2),
        "layout_failed_nets": sum(len(unit.routing.failed_nets) for unit in laid_out.values()),
    }
    for name, unit in laid_out.items():
        found[f"layout_{name}_um_per_net"] = round(unit.um_per_net, 2)
        found[f"layout_{name}_nets"] = len(unit.routing.design.nets)
        found[f"layout_{name}_width_um"] = unit.unit.width_um
        found[f"layout_{name}_height_um"] = unit.unit.height_um
    return found


def render(laid_out: dict[str, LaidOut], errors: dict[str, float]) -> Table:
    """The layouts for the terminal."""
    table = Table(title="placed and routed NCUs")
    for header in ("NCU", "cells", "nets", "failed", "um a net", "outline, um", "by fan-out"):
        table.add_column(header, justify="left" if header == "NCU" else "right")
    for name, unit in laid_out.items():
        design = unit.routing.design
        table.add_row(
            name,
            f"{len(design.netlist.placed):,}",
            f"{len(design.nets):,}",
            str(len(unit.routing.failed_nets)),
            f"{unit.um_per_net:.2f}",
            f"{design.width_um:.1f} x {design.height_um:.1f}",
            f"{errors[name]:+.1%}",
        )
    return table


def main() -> None:
    """Lay out all units and write the results."""
    require_modules("coriolis", "klayout")
    cells, trace, console = own_cells(), load(), Console()
    with console.status("placing and routing"), ToolThreads(_WORKERS) as pool:
        waiting = {
            name: pool.submit(lay_out_ncu, name, ncu_bench(config, cells), cells, trace)
            for name, config in UNITS.items()
        }
        laid_out = {name: job.result() for name, job in waiting.items()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, unit in laid_out.items():
        write_layout(name, unit, FOLDER)
    replace_bytes(PICTURE, (FOLDER / "fused.png").read_bytes())
    content = wires_file(laid_out)
    write_document(WIRES_FILE, asdict(content))
    add_figures(RESULTS, figures(laid_out), sources={"wire_*": COMMAND, "layout_*": COMMAND})
    console.print(render(laid_out, fanout_errors(content.by_fanout, laid_out)))


if __name__ == "__main__":
    with command("layout"):
        main()
