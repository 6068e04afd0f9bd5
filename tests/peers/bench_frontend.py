"""Measures networks from other tools: imported, in integers, on the RTL and back in onnxruntime.

`make bench-frontend` remakes the committed figures. The networks of `foreign_networks` are as
PyTorch starts them, exported by both of its exporters; the MNIST network of ONNX' model zoo is the
one that the package `qonnx` holds. ResNet-8 is trained on CIFAR-10 with PyTorch first, for an hour
or so; the folder keeps it. A network of Brevitas runs in the integers of its file.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from sklearn.datasets import load_digits

from axnn.approximation.widths import Trial
from axnn.data import OwnData, load
from axnn.data.catalog import MNIST
from axnn.data.fetch import read_collection
from axnn.flow.importing import import_step
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, evaluate_step
from axnn.frontend import ImportedNetwork, compare, compare_integers, import_onnx
from axnn.nn.train import TrainingPlan
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import uniform_precision
from qcnpe.driver import Transport
from qcnpe.interchange import export_onnx, verify
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.draws import draw
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.inference import infer
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import Figures, package_versions, read_figures, results_document
from qcnpe.tools.extras import require_modules
from sim.check import compare as compare_rtl
from sim.transport import SimulationTransport
from tests.axnn.frontend.quantised import NETWORKS
from tests.peers.foreign_networks import EXPORTERS, FOREIGN, REFUSED, Foreign, export, settle
from tests.peers.train_resnet8 import EPOCHS, train_resnet8

Samples = NDArray[np.float32]

ENGINE = EngineConfig()
TOOLS = ("numpy", "onnx", "onnxruntime", "onnxscript", "qonnx", "silero-vad", "torch")
MNIST_CNN = "mnist_cnn"
BREVITAS = "brevitas_4bit"
UNLABELLED_CNN = "mnist_cnn_without_labels"
REFUSALS = "refused"

UNLABELLED, BOUND_POINTS = 12_000, 0.5
"""Pictures without labels, and the agreement that may be lost, in percentage points."""

RETRAINING = TrainingPlan(epochs=6, batch=64, learning_rate=0.01, weight_decay=1e-4)
WIDTHS = (16, 8)

SAMPLES = 64
"""Random samples of a network that is not trained."""

ONNX_SAMPLES, RTL_SAMPLES = 16, 2
"""Of these, how many are compared in integers: large networks take seconds for each on the RTL."""

BREVITAS_TRAINED = 1400
"""Digits that the network of Brevitas was trained on, see `brevitas_network`."""

RESNET8 = "resnet8"
CALIBRATION, TRAINED_RTL = 5000, 100
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


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network of another tool.

    Attributes
    ----------
    paths : of its file, by each exporter
    train, test : pictures as the file reads them
    labels : of the test pictures
    """

    paths: tuple[Path, ...]
    train: Samples
    test: Samples
    labels: NDArray[np.integer]


def zoo_mnist() -> Trained:
    """The zoo's MNIST network and the official parts."""
    require_modules("qonnx")
    spec = find_spec("qonnx")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / "onnx" / "mnist-conv" / "model.onnx"
    arrays = read_collection(MNIST)
    train, test = (
        arrays[f"{part}_images"][:, None].astype(np.float32) for part in ("train", "test")
    )
    return Trained((path,), train, test, arrays["test_labels"])


def trained_resnet8(folder: Path, seed: int, say: Callable[[str], None]) -> Trained:
    """ResNet-8, trained on CIFAR-10 here, by both exporters."""
    data = load("cifar10", seed=seed)

    def tell(epoch: int, loss: float) -> None:
        say(f"{RESNET8}: epoch {epoch + 1} of {EPOCHS}, loss {loss:.4f}")

    network = train_resnet8(data.train, folder / "resnet8.pt", seed=seed, on_epoch=tell)
    paths = tuple(folder / f"{RESNET8}_{exporter}.onnx" for exporter in EXPORTERS)
    for path, exporter in zip(paths, EXPORTERS, strict=True):
        export(network, FOREIGN[RESNET8].shape, path, exporter=exporter)
    return Trained(paths, data.train.inputs, data.test.inputs, data.test.labels)


def measure_trained(
    name: str, trained: Trained, engine: Transport, folder: Path, seed: int
) -> Figures:
    """The files against onnxruntime on all test pictures, accuracies, and the integers."""
    test, labels = trained.test, trained.labels
    differences = []
    for path in trained.paths:
        imported = import_onnx(path, test)
        differences.append(compare(imported, test).relative)
    known = trained.train[draw(len(trained.train), CALIBRATION, seed=seed)]
    inputs = imported.inputs(test)
    figures: Figures = {
        f"{name}.max_difference_float": float(f"{max(differences):.2e}"),
        f"{name}.accuracy_float": accuracy(imported.predict(test), labels),
    }
    for width in WIDTHS:
        net = in_integers(imported, imported.inputs(known), width)
        outputs = infer(net, net.quantize_inputs(inputs))
        figures[f"{name}.accuracy_{width}b"] = accuracy(outputs, labels)
        if width == WIDTHS[0]:
            figures |= check_integers(name, net, inputs, engine, TRAINED_RTL, folder)
    return figures


def measure_brevitas(engine: Transport, folder: Path) -> Figures:
    """The quantised network of Brevitas in the integers of its file; accuracy on unseen digits."""
    digits = load_digits()
    samples = (digits.images[:, None] / 16).astype(np.float32)
    imported = import_onnx(NETWORKS / "brevitas_half_up.onnx", samples)
    layers = compare_integers(imported, samples)
    assert imported.quantisation is not None
    net = imported.quantisation.net
    assert net is not None
    unseen = imported.inputs(samples[BREVITAS_TRAINED:])
    labels = digits.target[BREVITAS_TRAINED:]
    return {
        f"{BREVITAS}.integers": sum(layer.results for layer in layers),
        f"{BREVITAS}.integer_mismatches": sum(layer.different for layer in layers),
        f"{BREVITAS}.accuracy_float": accuracy(imported.network.predict(unseen), labels),
        f"{BREVITAS}.accuracy_4b": accuracy(infer(net, net.quantize_inputs(unseen)), labels),
        **check_integers(BREVITAS, net, unseen, engine, TRAINED_RTL, folder),
    }


def measure_without_labels(folder: Path, seed: int, say: Callable[[str], None]) -> Figures:
    """The zoo's MNIST network, approximated against its own answers on pictures without labels."""
    trained = zoo_mnist()
    chosen = trained.train[draw(len(trained.train), UNLABELLED, seed=seed)] / np.float32(255)
    path = folder / "mnist_without_labels.npz"
    np.savez_compressed(path, inputs=chosen)
    run = RunFolder(folder / "mnist_without_labels")
    import_step(run, trained.paths[0], OwnData.at(path, unlabelled=True), seed=seed)
    plan = run.record().app.approximation
    plan = replace(plan, bound_percent=BOUND_POINTS, retraining=RETRAINING)

    def tell(trial: Trial) -> None:
        say(f"{UNLABELLED_CNN}: trial {trial.number}, agreement {trial.accuracy:.2%}")

    found = approximate_step(run, plan, on_trial=tell)
    evaluation = evaluate_step(run, EnergyPrices.load())
    lost = found.trials[0].accuracy - found.last_kept.accuracy
    return {
        f"{UNLABELLED_CNN}.validation_loss_points": round(100 * lost, 2),
        f"{UNLABELLED_CNN}.test_agreement": round(evaluation.axnn_accuracy, 5),
        f"{UNLABELLED_CNN}.energy_ratio": round(evaluation.energy_ratio, 3),
    }


def measure_refusals(folder: Path, seed: int, say: Callable[[str], None]) -> Figures:
    """1 for each network that cannot run and is refused before any work."""
    figures: Figures = {}
    for name, make in REFUSED.items():
        path, samples = make(folder, seed)
        try:
            import_onnx(path, samples)
            figures[f"{REFUSALS}.{name}"] = 0
        except QcnpeError as error:
            say(f"{name}: {error}")
            figures[f"{REFUSALS}.{name}"] = 1
    return figures


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.bench_frontend")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/frontend"), help="kept files")
    names = (*FOREIGN, MNIST_CNN, UNLABELLED_CNN, BREVITAS, REFUSALS)
    parser.add_argument(
        "--model", action="append", choices=names, help="only this; may be repeated"
    )
    options = parser.parse_args()
    console = Console(highlight=False)
    say = partial(console.print, soft_wrap=True)
    figures = read_figures(options.out) if options.out.exists() else {}
    folder, seed = options.folder, options.seed
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    with SimulationTransport(ENGINE) as engine:
        for name in options.model or names:
            if name == MNIST_CNN:
                found = measure_trained(name, zoo_mnist(), engine, folder, seed)
            elif name == RESNET8:
                trained = trained_resnet8(folder, seed, say)
                found = measure_trained(name, trained, engine, folder, seed)
            elif name == BREVITAS:
                found = measure_brevitas(engine, folder)
            elif name == UNLABELLED_CNN:
                found = measure_without_labels(folder, seed, say)
            elif name == REFUSALS:
                found = measure_refusals(folder, seed, say)
            else:
                found = measure_foreign(name, FOREIGN[name], engine, folder, seed)
            figures |= found
            for key, value in found.items():
                say(f"{key:36} {value:>12}")
    document = results_document(
        f"python -m tests.peers.bench_frontend --seed {options.seed}",
        dict(sorted(figures.items())),
        seed=options.seed,
        versions=package_versions(TOOLS),
    )
    write_document(options.out, document, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
