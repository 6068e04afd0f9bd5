"""Runs a network on the simulated engine and compares every result with the integer model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport, Transport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from sim.transport import SimulationTransport
from sim.verilator import DEFAULT_FOLDER
from sim.waves import Waves

DEFAULT_BATCH = 512
"""Samples that are sent to the engine at once; bounds the memory for their operands."""


@dataclass(frozen=True, kw_only=True)
class RtlCheck:
    """Result of a comparison.

    Attributes
    ----------
    samples : samples that were run
    mismatches : outputs of the RTL that differ from the model of the engine or from the network
    cycles : in which the engine was busy; of an autonomous one, of all runs
    counted_cycles : the same by the count of the compiler
    outputs : int16 (samples, outputs) from the RTL
    """

    samples: int
    mismatches: int
    cycles: int
    counted_cycles: int
    outputs: NDArray[np.int16]


def check_network(
    net: QuantNet,
    inputs: NDArray[np.int16],
    config: EngineConfig,
    *,
    folder: Path = DEFAULT_FOLDER,
    batch: int = DEFAULT_BATCH,
    waves: Waves | None = None,
    progress: Callable[[int], None] | None = None,
) -> RtlCheck:
    """Run samples on the engine's Verilog with the driver.

    Every output must equal both that of the bit-exact model of the engine, which executes the same
    program tile by tile, and that of the network computed without tiles.

    Parameters
    ----------
    net, config : network and engine
    inputs : int16 (samples, features)
    folder : for built simulations
    batch : samples that are sent to the engine at once
    waves : file of all signals
    progress : called with the number of samples finished so far
    """
    with SimulationTransport(config, folder=folder, waves=waves) as engine:
        return compare(net, inputs, engine, batch=batch, progress=progress)


def compare(
    net: QuantNet,
    inputs: NDArray[np.int16],
    engine: Transport,
    *,
    batch: int = DEFAULT_BATCH,
    progress: Callable[[int], None] | None = None,
) -> RtlCheck:
    """Run samples on any engine; see `check_network`."""
    model = ModelTransport(engine.config)
    before = engine.cycles
    outputs = []
    mismatches = counted = 0
    for start in range(0, len(inputs), batch):
        part = inputs[start : start + batch]
        program = compile_network(net, engine.config, len(part))
        counted += program.cycles
        found = Driver(engine).run(program, part)
        differs = (found != Driver(model).run(program, part)) | (found != infer(net, part))
        mismatches += int(differs.sum())
        outputs.append(found)
        if progress is not None:
            progress(start + len(part))
    return RtlCheck(
        samples=len(inputs),
        mismatches=mismatches,
        cycles=engine.cycles - before,
        counted_cycles=counted,
        outputs=np.concatenate(outputs),
    )
