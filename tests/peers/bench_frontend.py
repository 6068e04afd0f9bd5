"""Measures networks from other tools: imported, in integers, on the RTL and back in onnxruntime.

`make bench-frontend` remakes the committed figures. The networks of `foreign_networks` are as
PyTorch starts them, exported by both of its exporters; the MNIST network of ONNX' model zoo is the
one that the package `qonnx` holds.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from axnn.data.catalog import MNIST
from axnn.data.fetch import read_collection
from axnn.frontend import ImportedNetwork, compare, import_onnx
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.driver import Transport
from qcnpe.interchange import export_onnx, verify
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.draws import draw
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import Figures, read_figures
from qcnpe.tools.extras import require_modules
from sim.check import compare as compare_rtl
from sim.transport import SimulationTransport
from tests.peers.foreign_networks import EXPORTERS, FOREIGN, Foreign, export, settle

Samples = NDArray[np.float32]

ENGINE = EngineConfig()
TOOLS = ("numpy", "onnx", "onnxruntime", "qonnx", "torch")
MNIST_CNN = "mnist_cnn"
WIDTHS = (16, 8)

SAMPLES = 64
"""Random samples of a network that is not trained."""

ONNX_SAMPLES, RTL_SAMPLES = 16, 2
"""Of these, how many are compared in integers: large networks take seconds for each on the RTL."""

MNIST_CALIBRATION, MNIST_RTL = 6000, 100
"""Training pictures that scales are chosen on, and test pictures that the RTL classifies."""


def in_integers(network: ImportedNetwork, samples: Samples, width: int) -> QuantNet:
    """The network at one width."""
    model = network.network
    precision = uniform_precision(model, width)
    scales = calibrate(model, samples, precision, ENGINE)
    return to_integers(model, scales, precision, ENGINE)


def check_integers(
    name: str, net: QuantNet, inputs: Samples, engine: Transport, rtl_samples: int, folder: Path
) -> Figures:
    """Results that differ between integers, their ONNX model and the RTL."""
    path = folder / f"{name}_integers.onnx"
    export_onnx(net, path)
    found = verify(net, path, inputs)
    codes = net.quantize_inputs(inputs)[draw(len(inputs), rtl_samples, seed=0)]
    checked = compare_rtl(net, codes, engine, batch=1 if rtl_samples < len(inputs) else 16)
    return {
        f"{name}.onnx_mismatches": found.mismatches + found.optimised_mismatches,
        f"{name}.onnx_samples": found.samples,
        f"{name}.rtl_mismatches": checked.mismatches,
        f"{name}.rtl_samples": checked.samples,
    }


def measure_foreign(
    name: str, foreign: Foreign, engine: Transport, folder: Path, seed: int
) -> Figures:
    """Both exporters' files against onnxruntime, the last one in integers."""
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-3, 3, (SAMPLES, *foreign.shape)).astype(np.float32)
    torch.manual_seed(seed)
    network = foreign.build()
    settle(network, foreign.shape, seed=seed)
    differences = []
    for exporter in EXPORTERS:
        path = folder / f"{name}_{exporter}.onnx"
        export(network, foreign.shape, path, exporter=exporter)
        imported = import_onnx(path, samples)
        differences.append(compare(imported, samples).relative)
    inputs = imported.inputs(samples)
    net = in_integers(imported, inputs, 16)
    part = inputs[:ONNX_SAMPLES]
    return {
        f"{name}.max_difference_float": float(f"{max(differences):.2e}"),
        **check_integers(name, net, part, engine, RTL_SAMPLES, folder),
    }


def accuracy(outputs: NDArray[np.generic], labels: NDArray[np.integer]) -> float:
    """Share of the samples whose largest output is that of their class."""
    return round(float((outputs.argmax(axis=1) == labels).mean()), 5)


def measure_mnist(engine: Transport, folder: Path, seed: int) -> Figures:
    """The zoo's MNIST network on the official test pictures."""
    require_modules("qonnx")
    spec = find_spec("qonnx")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / "onnx" / "mnist-conv" / "model.onnx"
    arrays = read_collection(MNIST)
    pictures = {
        part: arrays[f"{part}_images"][:, None].astype(np.float32) for part in ("train", "test")
    }
    labels = arrays["test_labels"]
    imported = import_onnx(path, pictures["test"])
    found = compare(imported, pictures["test"])
    known = pictures["train"][draw(len(pictures["train"]), MNIST_CALIBRATION, seed=seed)]
    inputs = imported.inputs(pictures["test"])
    figures: Figures = {
        f"{MNIST_CNN}.max_difference_float": float(f"{found.relative:.2e}"),
        f"{MNIST_CNN}.accuracy_float": accuracy(imported.predict(pictures["test"]), labels),
    }
    for width in WIDTHS:
        net = in_integers(imported, imported.inputs(known), width)
        outputs = infer(net, net.quantize_inputs(inputs))
        figures[f"{MNIST_CNN}.accuracy_{width}b"] = accuracy(outputs, labels)
        if width == WIDTHS[0]:
            figures |= check_integers(MNIST_CNN, net, inputs, engine, MNIST_RTL, folder)
    return figures


@contextmanager
def engine_and_folder() -> Iterator[tuple[Transport, Path]]:
    """The simulated engine, and a folder for files that nobody keeps."""
    with SimulationTransport(ENGINE) as engine, TemporaryDirectory(prefix="axnn-frontend-") as name:
        yield engine, Path(name)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.bench_frontend")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--seed", type=int, default=1)
    names = (*FOREIGN, MNIST_CNN)
    parser.add_argument(
        "--model", action="append", choices=names, help="only this; may be repeated"
    )
    options = parser.parse_args()
    console = Console(highlight=False)
    say = partial(console.print, soft_wrap=True)
    figures = read_figures(options.out) if options.out.exists() else {}
    with engine_and_folder() as (engine, folder):
        for name in options.model or names:
            if name == MNIST_CNN:
                found = measure_mnist(engine, folder, options.seed)
            else:
                found = measure_foreign(name, FOREIGN[name], engine, folder, options.seed)
            figures |= found
            for key, value in found.items():
                say(f"{key:36} {value:>12}")
    document = {
        "command": f"python -m tests.peers.bench_frontend --seed {options.seed}",
        "seed": options.seed,
        "versions": {name: version(name) for name in TOOLS},
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "figures": dict(sorted(figures.items())),
    }
    write_document(options.out, document, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
