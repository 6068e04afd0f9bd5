"""Energy of a whole system for a picture of LeNet: streamed by a host, and autonomous.

`python -m sim.system_energy` adds the figures to `results/energy.json`. Both systems have the same
engine of 16x16, a 64-bit bus and the same external memory. The streamed one takes every word of its
streams from external memory and writes every result to it, as its host sends them; the autonomous
one takes what its descriptors load. Energy of the host is in neither. Weights are initial ones,
pictures noise, drawn by the seed.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.activity import stream_activity
from qcnpe.command_line import command
from qcnpe.compiler import compile_network
from qcnpe.driver import program_streams
from qcnpe.events import EventCounts, count_events
from qcnpe.memory_events import MEMORY_UNITS
from qcnpe.placement.build import place_network
from qcnpe.placement.energy import SystemEnergy, image_energy
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.machine import expand
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import Figures, add_figures
from qcnpe.terminal import Console
from sim.bench_networks import WORKLOADS

COMMAND = "python -m sim.system_energy"
ENGINE = EngineConfig()
MEMORIES = MemoryConfig.default(ENGINE)
WIDTHS = (16, 4)
SEED = 1
NETWORK = "lenet"
BATCH, PICTURES = 4, 64
"""Pictures of a run, as many as memories of default sizes hold; and of all runs."""


def streamed(prices: EnergyPrices, net: QuantNet, inputs: NDArray[np.int16]) -> SystemEnergy:
    """Energy of a batch that a host streams; the engine waits for the bus."""
    own = prices.for_engine(ENGINE)
    engine_pj, words = 0.0, 0
    for streams in program_streams(compile_network(net, ENGINE, len(inputs)), inputs):
        counts = count_events(ENGINE, streams.decode(ENGINE))
        cycles = max(counts.cycles, bus_cycles(counts))
        counts = count_events(ENGINE, streams.decode(ENGINE), cycles=cycles)
        engine_pj += own.cost_pj(counts.events(stream_activity(ENGINE, streams)))
        words += counts.words
    external = own.cost_pj({"external_word": words})
    return SystemEnergy(engine_pj, dict.fromkeys(MEMORY_UNITS, 0.0), 0.0, external)


def bus_cycles(counts: EventCounts) -> int:
    """Cycles in which a bus as wide as the autonomous engine's moves all words of the streams."""
    return -(-counts.words * OPERAND_BITS // MEMORIES.bus_bits)


def autonomous(
    prices: EnergyPrices, net: QuantNet, inputs: NDArray[np.int16], pictures: int
) -> SystemEnergy:
    """Energy of pictures, run batch by batch, the first run with what it loads once."""
    image = place_network(net, MEMORIES, len(inputs)).image
    activity = stream_activity(ENGINE, expand(image, inputs))
    first, further = (
        image_energy(prices, image, first=first, activity=activity) for first in (True, False)
    )
    return first + further.scaled(pictures / len(inputs) - 1)


def measure(prices: EnergyPrices, width: int) -> Figures:
    """All figures of a width, for a picture."""
    workload = WORKLOADS[NETWORK]
    net = workload.integers(width, ENGINE, SEED)
    rng = np.random.default_rng(SEED)
    inputs = rng.integers(0, 1 << 15, (BATCH, net.inputs)).astype(np.int16)
    before = streamed(prices, net, inputs).scaled(1 / BATCH)
    now = autonomous(prices, net, inputs, PICTURES).scaled(1 / PICTURES)
    found = {f"streamed.{name}_pj": pj for name, pj in before.parts.items()}
    found |= {f"autonomous.{name}_pj": pj for name, pj in now.parts.items()}
    found |= {f"autonomous.{unit}_pj": pj for unit, pj in now.side_pj.items()}
    found["ratio"] = before.total_pj / now.total_pj
    return {
        f"system.{NETWORK}.{width}b.{name}": float(f"{value:.4g}") for name, value in found.items()
    }


def main() -> None:
    """Read the arguments; measure; write the figures."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/energy.json"))
    options = parser.parse_args()
    with command("system_energy"):
        prices, console = EnergyPrices.load(), Console()
        figures: Figures = {}
        for width in WIDTHS:
            found = measure(prices, width)
            figures |= found
            for name, value in found.items():
                console.print(f"{name:42} {value:14,.2f}")
        add_figures(options.out, figures, sources={"system.*": COMMAND})


if __name__ == "__main__":
    main()
