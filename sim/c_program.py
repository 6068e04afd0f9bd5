"""Runs a program in C, with the C driver, against a Verilated autonomous engine and a memory.

The program becomes a shared library in the simulator's process; its accesses to registers are
transfers on the engine's AXI4-Lite bus, and it shares the memory on the engine's AXI4 bus. Its
function `classify` is declared in `examples/bare_metal/digits.c`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from qcnpe.generate import AUTONOMOUS_TOP
from qcnpe.spec.errors import ToolError
from qcnpe.spec.memory.c_driver import c_driver
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.image_file import encode_images
from qcnpe.spec.memory.registers import memory_registers
from qcnpe.tools.find import C_COMPILER
from qcnpe.tools.process import run
from sim import c_program_bench
from sim.autonomous_bench import environment_of
from sim.cocotb_process import run_cocotb
from sim.runner import build_autonomous
from sim.verilator import DEFAULT_FOLDER

_OPTIONS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC")
_PAGE = 4096


@dataclass(frozen=True)
class Classified:
    """What a program found.

    Attributes
    ----------
    logits : int16 (samples, outputs)
    classes : uint32 (samples,)
    """

    logits: NDArray[np.int16]
    classes: NDArray[np.uint32]


def classify(
    program: Path,
    images: Sequence[Image],
    inputs: NDArray[np.int16],
    *,
    folder: Path = DEFAULT_FOLDER,
) -> Classified:
    """Compile a program with the driver, and let it classify samples on the emitted Verilog.

    Parameters
    ----------
    program : source of the program in C
    images : of the network, or side by side of several with the same inputs, outputs and batch
    inputs : int16 (samples, features), a multiple of the images' batch
    folder : for built simulations

    Raises
    ------
    ToolMissingError
        If a compiler is missing.
    ToolError
        If the compilation or the simulation fails, or the program returns an error.
    """
    C_COMPILER.require()
    simulation = build_autonomous(images[0].config, folder)
    file, samples, image = encode_images(images), len(inputs), images[0]
    job = {
        "memory_bytes": _memory_bytes(images),
        "runs": samples // image.batch,
        "samples": samples,
        "outputs": len(image.output.map.map.slots) * _pixels(image),
    }
    with TemporaryDirectory(prefix="qcnpe-") as name:
        work = Path(name)
        _compile(program, image.config, work)
        (work / c_program_bench.JOB).write_text(json.dumps(job))
        (work / c_program_bench.IMAGE).write_bytes(file)
        (work / c_program_bench.SAMPLES).write_bytes(inputs.astype(np.int16).tobytes())
        environment = environment_of(image.config)
        module = "sim.c_program_bench"
        run_cocotb(module, simulation, work, environment, toplevel=AUTONOMOUS_TOP)
        found = work / c_program_bench.ERROR
        if not found.is_file():
            raise ToolError(f"{program.name} did not return")
        if error := int(found.read_text()):
            raise ToolError(f"{program.name} returned the error {error} of qcnpe.h")
        logits = np.frombuffer((work / c_program_bench.LOGITS).read_bytes(), np.int16)
        classes = np.frombuffer((work / c_program_bench.CLASSES).read_bytes(), np.uint32)
    return Classified(logits.reshape(samples, -1), classes)


def _compile(program: Path, config: MemoryConfig, folder: Path) -> None:
    files = {program.name: program.read_text(), **c_driver(memory_registers(config))}
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = sorted(name for name in files if name.endswith(".c"))
    command = [C_COMPILER.require(), *_OPTIONS, *sources, "-o", c_program_bench.PROGRAM]
    run("gcc", command, folder)


def _pixels(image: Image) -> int:
    _, height, width = image.output.map.map.shape
    return height * width


def _memory_bytes(images: Sequence[Image]) -> int:
    """Whole pages for the images' data, the largest input and the largest output."""
    sizes = (
        len(images[0].data),
        max(image.input_bytes for image in images),
        max(image.output_bytes for image in images),
    )
    return sum(-(-size // _PAGE) * _PAGE for size in sizes)
