"""Checks the prices on a whole engine: counts times prices against a simulation at gate level.

    python -m synth.engine_check

All layers of a small network, quantised at each operand width, run on an engine of 4x4 neural
compute units (NCUs) as one netlist. Each result is compared with the RTL's. The energy of each unit
is compared with the layer's event counts times prices: those of NCUs are the committed ones; those
of all other units are found on the same engine as on the default one, with other programs.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.compiler import compile_network
from qcnpe.driver import program_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import add_figures
from qcnpe.spec.samples import Samples
from qcnpe.spec.streams import Streams
from qcnpe.terminal import Console
from synth.energy_table import RESULTS, SEED, TABLE
from synth.engine_bench import EngineBench, EngineRun
from synth.engine_prices import engine_prices_fj, events_of, in_unit
from synth.engine_units import UNITS
from synth.flow import own_cells
from synth.gatesim import simulator
from synth.traces import load

COMMAND = "python -m synth.engine_check"

CONFIG = EngineConfig(rows=4, cols=4)

NETWORKS = Path(__file__).parent / "traces"
"""Folder of the committed networks."""

INPUTS = NETWORKS / "check_inputs.npz"
"""Their samples, which no network was fitted to."""


@dataclass(frozen=True)
class CheckedLayer:
    """A layer on the engine.

    Attributes
    ----------
    precision : operand width in bits
    name : of the layer
    cycles : that it took
    simulated_fj, predicted_fj : energy by unit
    """

    precision: int
    name: str
    cycles: int
    simulated_fj: Mapping[str, float]
    predicted_fj: Mapping[str, float]


def network_file(width: int) -> Path:
    """The committed network whose operands have a width."""
    return NETWORKS / f"check_{width}b.npz"


def layers(
    width: int, config: EngineConfig, samples: int | None = None
) -> list[tuple[str, Streams]]:
    """Name and streams of each layer of the committed network of a width, for some samples."""
    net = QuantNet.load(network_file(width))
    inputs = Samples.load(INPUTS).draw(samples, seed=0).inputs
    program = compile_network(net, config, len(inputs))
    names = [layer.layer.name for layer in program.layers]
    return list(zip(names, program_streams(program, inputs), strict=True))


def check(bench: EngineBench, prices_fj: Mapping[str, float]) -> list[CheckedLayer]:
    """Simulate all layers of all networks and compare.

    Parameters
    ----------
    bench : the engine
    prices_fj : of all events
    """
    config = bench.config
    named = [(width, *layer) for width in config.precisions for layer in layers(width, config)]
    _, runs = bench.run([streams for _, _, streams in named])
    return [
        CheckedLayer(width, name, run.cycles, run.energies_fj, _predict(config, prices_fj, run))
        for (width, name, _), run in zip(named, runs, strict=True)
    ]


def _predict(
    config: EngineConfig, prices_fj: Mapping[str, float], run: EngineRun
) -> dict[str, float]:
    events = events_of(config, run)
    return {
        unit: sum(prices_fj[name] * count for name, count in in_unit(events, unit).items())
        for unit in UNITS
    }


def error(found: Iterable[CheckedLayer], unit: str | None = None) -> float:
    """Signed error of the prediction for some layers, of all units or of one, as a fraction."""
    simulated, predicted = Counter[str](), Counter[str]()
    for layer in found:
        simulated.update(layer.simulated_fj)
        predicted.update(layer.predicted_fj)
    if unit:
        return predicted[unit] / simulated[unit] - 1
    return predicted.total() / simulated.total() - 1


def figures(found: Sequence[CheckedLayer]) -> dict[str, float]:
    """Flat figures: errors of networks, of their units, and of layers."""
    networks = {
        width: [layer for layer in found if layer.precision == width]
        for width in {layer.precision: None for layer in found}
    }
    errors = {f"engine_check_error_{width}b": error(net) for width, net in networks.items()}
    flat = {"engine_check_error_max": max(map(abs, errors.values())), **errors}
    flat |= {
        f"engine_check_error_{width}b_{unit}": error(net, unit)
        for width, net in networks.items()
        for unit in UNITS
    }
    flat |= {
        f"engine_check_error_{layer.precision}b_{layer.name}": error([layer]) for layer in found
    }
    return {name: round(value, 4) for name, value in flat.items()}


def render(found: Sequence[CheckedLayer]) -> Table:
    """The comparison for the terminal."""
    table = Table(title="pJ in a cycle of a 4x4 engine, simulated (error of counts times prices)")
    for header in ("bits", "layer", "cycles", *UNITS, "all"):
        table.add_column(header, justify="left" if header == "layer" else "right")
    for layer in found:
        units = (
            f"{layer.simulated_fj[unit] / layer.cycles / 1000:.2f} ({error([layer], unit):+.0%})"
            for unit in UNITS
        )
        total = sum(layer.simulated_fj.values()) / layer.cycles / 1000
        whole = f"{total:.2f} ({error([layer]):+.1%})"
        table.add_row(str(layer.precision), layer.name, str(layer.cycles), *units, whole)
    return table


def main() -> None:
    """Check all layers and write the errors into the results."""
    simulator()  # needed only after the mapping
    console = Console()
    with console.status("mapping and simulating a whole engine"):
        bench = EngineBench.make(CONFIG, own_cells())
        ncus = {name: 1000 * pj for name, pj in json.loads(TABLE.read_text())["pj"].items()}
        prices = ncus | engine_prices_fj(bench, load(), ncus, seed=SEED)
        found = check(bench, prices)
    add_figures(
        RESULTS,
        figures(found) | {"engine_4x4_path_ns": round(bench.assembled.path_ns, 3)},
        sources={"engine_check_*": COMMAND, "engine_4x4_path_ns": COMMAND},
    )
    console.print(render(found))


if __name__ == "__main__":
    with command("engine_check"):
        main()
