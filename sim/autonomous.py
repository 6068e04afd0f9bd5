"""Runs images on a Verilated autonomous engine with an ideal external memory."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.placement.build import place_network
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import BUS_LATENCY, count_run
from qcnpe.spec.memory.image import Image
from qcnpe.spec.qnet import QuantNet
from sim import autonomous_network
from sim.autonomous_bench import environment_of
from sim.check import RtlCheck
from sim.cocotb_process import run_cocotb
from sim.runner import MEMORY_HARNESS_TOP, MEMORY_WORDS, build_autonomous
from sim.verilator import DEFAULT_FOLDER
from sim.waves import Waves

_TIMEOUT_CYCLES = 100_000_000
_ALIGNMENT = 4096


@dataclass(frozen=True)
class ImageRun:
    """What an engine did with an image.

    Attributes
    ----------
    results : int16 (samples, outputs)
    counters : all counters of each run, by name
    """

    results: NDArray[np.int16]
    counters: tuple[dict[str, int], ...]


def run_on_verilog(
    image: Image,
    inputs: NDArray[np.int16],
    *,
    latency: int = BUS_LATENCY,
    stalls: int = 0,
    folder: Path = DEFAULT_FOLDER,
    waves: Waves | None = None,
) -> ImageRun:
    """Run an image on the emitted Verilog; the engine is built if it was not before.

    Parameters
    ----------
    image : of a network
    inputs : int16 (samples, features), a multiple of the image's batch
    latency : of the external memory in cycles
    stalls : seed of random cycles in which the external memory is idle; 0: in none
    folder : for built simulations
    waves : file of all signals

    Raises
    ------
    ConfigError
        If the network does not fit the simulated memory.
    ToolError
        If a run does not end well, or the simulation fails.
    """
    job = _job(image, len(inputs) // image.batch) | {"stalls": stalls}
    simulation = build_autonomous(image.config, folder, latency=latency, waves=waves)
    packed = [
        image.pack_inputs(inputs[start : start + image.batch])
        for start in range(0, len(inputs), image.batch)
    ]
    octets = image.config.bus_bytes
    with TemporaryDirectory(prefix="qcnpe-") as name:
        work = Path(name)
        (work / autonomous_network.JOB).write_text(json.dumps(job))
        (work / "image.bin").write_bytes(_swap(image.data, octets))
        (work / "input.bin").write_bytes(_swap(np.concatenate(packed), octets))
        environment = environment_of(image.config)
        module = "sim.autonomous_network"
        run_cocotb(module, simulation, work, environment, toplevel=MEMORY_HARNESS_TOP, waves=waves)
        output = np.frombuffer((work / "output.bin").read_bytes(), np.uint8)
        counters = json.loads((work / autonomous_network.COUNTERS).read_text())
    swapped = np.frombuffer(_swap(output, octets), np.uint8).reshape(len(packed), -1)
    results = np.concatenate([image.unpack_outputs(run) for run in swapped])
    return ImageRun(results, tuple(counters))


def check_autonomous(
    net: QuantNet,
    inputs: NDArray[np.int16],
    config: MemoryConfig,
    *,
    folder: Path = DEFAULT_FOLDER,
    batch: int = 1,
    waves: Waves | None = None,
) -> RtlCheck:
    """Run samples on an autonomous engine's Verilog with an ideal external memory.

    Parameters
    ----------
    net, config : network, and engine with its memories
    inputs : int16 (samples, features)
    folder : for built simulations
    batch : samples of a run
    waves : file of all signals

    Raises
    ------
    ConfigError
        If the last run would not be whole.
    """
    if len(inputs) % batch:
        raise ConfigError(f"{len(inputs)} samples are not a multiple of the batch, {batch}")
    image = place_network(net, config, batch).image
    run = run_on_verilog(image, inputs, folder=folder, waves=waves)
    first, further = (count_run(image, first=first).cycles for first in (True, False))
    return RtlCheck(
        samples=len(inputs),
        mismatches=int((run.results != infer(net, inputs)).sum()),
        cycles=sum(counters["run_cycles"] for counters in run.counters),
        counted_cycles=first + (len(run.counters) - 1) * further,
        outputs=run.results,
    )


def _job(image: Image, runs: int) -> dict[str, Any]:
    """What the bench does; the image, the input and the output follow one another in the memory."""
    sizes = {
        "image": len(image.data),
        "input": image.input_bytes,
        "output": image.output_bytes,
    }
    places, end = {}, 0
    for name, size in sizes.items():
        places[name] = end
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    available = MEMORY_WORDS * image.config.bus_bytes
    if end > available:
        raise ConfigError(
            f"image, samples and results of a run take {end:,} bytes, and the simulated memory has"
            f" {available:,}: compile for fewer samples (--batch), or a smaller network"
        )
    return {
        "places": places,
        **{f"{name}_bytes": size for name, size in sizes.items()},
        "bus_bytes": image.config.bus_bytes,
        "boot_rows": image.boot_rows,
        "start": image.start,
        "again": image.again,
        "again_boot_rows": image.again_boot_rows,
        "runs": runs,
        "timeout": _TIMEOUT_CYCLES,
    }


def _swap(memory: NDArray[np.uint8], octets: int) -> bytes:
    """Octets of each bus word in the other order."""
    return memory.reshape(-1, octets)[:, ::-1].tobytes()
