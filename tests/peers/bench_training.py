"""Measures training against PyTorch, retraining, a resilience pass and the integer evaluation.

`make bench-training` remakes the committed figures. Everything runs on one thread and is measured
in its processor time, in turns with what it is compared to; the median of the rounds counts.
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from rich.console import Console

from axnn.approximation.resilience import characterize
from axnn.approximation.search import take_share
from axnn.approximation.tiles import form_tiles, lower
from axnn.data import Classes, DataSet, Split, load
from axnn.flow.apps import find_app, perceptron
from axnn.nn.network import LayerStack, Network
from axnn.nn.spec import NetworkSpec
from axnn.nn.train import TrainingPlan, train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import Precision, QuantisedNetwork, uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.inference import infer
from qcnpe.spec.results import machine_name, package_versions, results_document
from tests.peers.torch_network import TorchNetwork

Report = Callable[[str], None]
Figures = dict[str, float]

ENGINE = EngineConfig()
TOOLS = ("numpy", "torch")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")

BATCH = 64
ROUNDS = 9
"""Repetitions of which the median is taken."""

STEPS = {"lenet": 60, "mlp": 400, "objects": 6, "resnet8": 3}
"""Training steps of one repetition."""

EPOCH_SAMPLES = {"digits": 6400, "objects": 640}
"""Samples of an epoch, whose time is proportional to them."""

LOWERINGS = 4
"""How often a share of all tiles is lowered, so that layers have neurons of each width."""


def specs() -> dict[str, NetworkSpec]:
    """The networks that both train."""
    return {
        "lenet": find_app("digits").network,
        "mlp": perceptron("mlp", inputs=784, hidden=128, classes=10),
        "objects": find_app("objects").network,
        "resnet8": find_app("resnet8").network,
    }


def random_split(spec: NetworkSpec, samples: int, rng: np.random.Generator) -> Split:
    """Noise: a step costs the same as with pictures."""
    inputs = rng.random((samples, *spec.input_shape), dtype=np.float32)
    return Split(inputs, rng.integers(0, 10, samples))


def plan_of(rate: float) -> TrainingPlan:
    """One epoch with momentum, without decay and augmentation."""
    return TrainingPlan(epochs=1, batch=BATCH, learning_rate=rate, schedule="constant")


def seconds(work: Callable[[], object]) -> float:
    """Processor time of some work."""
    begin = process_time()
    work()
    return process_time() - begin


def train_ours(model: LayerStack, split: Split, rate: float) -> None:
    """An epoch; it is validated on one sample only, since PyTorch's is not."""
    data = DataSet(
        name="bench",
        classes=Classes.numbered(10),
        train=split,
        validation=split.draw(1, seed=0),
        test=split,
    )
    train(model, data, plan_of(rate), seed=0)


def train_torch(model: torch.nn.Module, optimizer: torch.optim.Optimizer, split: Split) -> None:
    """The same by PyTorch."""
    inputs, labels = torch.from_numpy(split.inputs), torch.from_numpy(split.labels)
    order = torch.randperm(len(split))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()


def check_equal(network: Network, peer: torch.nn.Module, split: Split) -> None:
    """Check that both are the same network before their times are compared."""
    ours = network.predict(split.inputs[:BATCH])
    with torch.no_grad():
        theirs = peer.eval()(torch.from_numpy(split.inputs[:BATCH])).numpy()
    if not np.allclose(ours, theirs, atol=1e-4):
        raise RuntimeError(f"network {network.spec.name}: PyTorch's logits differ")
    peer.train()


def compare(name: str, spec: NetworkSpec, seed: int, report: Report) -> Figures:
    """Milliseconds of a training step by both, and their ratio with its smallest and largest."""
    rate = 0.001
    split = random_split(spec, STEPS[name] * BATCH, np.random.default_rng(seed))
    network = Network(spec, seed=seed)
    peer = TorchNetwork(network)
    check_equal(network, peer, split)
    optimizer = torch.optim.SGD(peer.parameters(), lr=rate, momentum=0.9)
    ours, theirs = [], []
    for turn in range(ROUNDS + 1):
        took = [
            seconds(lambda: train_ours(network, split, rate)),
            seconds(lambda: train_torch(peer, optimizer, split)),
        ]
        if turn:  # the first turn warms caches up
            ours.append(1e3 * took[0] / STEPS[name])
            theirs.append(1e3 * took[1] / STEPS[name])
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    figures = {
        f"{name}.step_ms": round(median(ours), 3),
        f"{name}.torch_step_ms": round(median(theirs), 3),
        **spread(f"{name}.time_over_torch", ratios),
    }
    report(f"{name}: {figures[f'{name}.time_over_torch']} of PyTorch's time")
    return figures


def spread(key: str, ratios: list[float]) -> Figures:
    """Median, smallest and largest."""
    return {
        key: round(median(ratios), 3),
        f"{key}_min": round(min(ratios), 3),
        f"{key}_max": round(max(ratios), 3),
    }


def mixed_precision(network: Network, seed: int) -> Precision:
    """Whole tiles at each width, chosen at random, as steps of an approximation leave them."""
    rng = np.random.default_rng(seed)
    precision = uniform_precision(network, OPERAND_BITS)
    frozen = tuple(np.zeros(widths.shape, np.bool_) for widths in precision)
    geometries = [layer.geometry for layer in network.neuron_layers]
    for _ in range(LOWERINGS):
        scores = tuple(rng.random(widths.shape) for widths in precision)
        tiles = form_tiles(scores, precision, frozen, geometries, ENGINE)
        precision = lower(precision, take_share(tiles, 0.45), ENGINE)
    return precision


def quantised(network: Network, precision: Precision, split: Split) -> QuantisedNetwork:
    """The network with quantisation in place, its parameters shared."""
    scales = calibrate(network, split.inputs, precision, ENGINE)
    return QuantisedNetwork(network, scales, precision, ENGINE)


def measure_epochs(name: str, split: Split, seed: int, report: Report) -> Figures:
    """Retraining at mixed widths, and a resilience pass, over an epoch of float training."""
    network = Network(find_app(name).network, seed=seed)
    train_ours(network, split, 0.02)
    exact = quantised(network, uniform_precision(network, OPERAND_BITS), split)
    mixed = quantised(network, mixed_precision(network, seed), split)
    rate = 1e-4
    criteria = (find_app(name).approximation.criterion,)
    works: dict[str, Callable[[], object]] = {
        "training": lambda: train_ours(network, split, rate),
        "retraining": lambda: train_ours(mixed, split, rate),
        "resilience": lambda: characterize(exact, split, ENGINE, seed=seed, criteria=criteria),
        "all_criteria": lambda: characterize(exact, split, ENGINE, seed=seed),
    }
    took: dict[str, list[float]] = {key: [] for key in works}
    for turn in range(ROUNDS + 1):
        for key, work in works.items():
            found = seconds(work)
            if turn:
                took[key].append(found)
    ratios = {
        key: [one / base for one, base in zip(took[key], took["training"], strict=True)]
        for key in ("retraining", "resilience", "all_criteria")
    }
    short = "lenet" if name == "digits" else name
    figures = spread(f"{short}.retraining_over_training", ratios["retraining"])
    figures |= spread(f"{short}.resilience_pass_epochs", ratios["resilience"])
    figures |= spread(f"{short}.all_criteria_epochs", ratios["all_criteria"])
    report(f"{short}: retraining {median(ratios['retraining']):.2f} epochs of training")
    report(f"{short}: resilience pass {median(ratios['resilience']):.2f} epochs of training")
    return figures


def measure_integers(data: DataSet, seed: int, report: Report) -> Figures:
    """Wall time of LeNet in integers at mixed widths on all test images."""
    network = Network(find_app("digits").network, seed=seed)
    train_ours(network, data.train.draw(EPOCH_SAMPLES["digits"], seed=seed), 0.02)
    precision = mixed_precision(network, seed)
    scales = calibrate(network, data.train.inputs, precision, ENGINE)
    net = to_integers(network, scales, precision, ENGINE)
    took = []
    for _ in range(3):
        begin = perf_counter()
        infer(net, net.quantize_inputs(data.test.inputs))
        took.append(perf_counter() - begin)
    report(f"integer evaluation: {median(took):.2f} s for {len(data.test)} images")
    return {
        "digits.integer_eval_seconds": round(median(took), 2),
        "digits.integer_eval_images": len(data.test),
    }


def run(seed: int, report: Report) -> dict[str, Any]:
    """All measurements, as the document that is committed."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    figures: Figures = {}
    for name, spec in specs().items():
        figures |= compare(name, spec, seed, report)
    digits, objects = load("mnist", seed=seed), load("cifar10", seed=seed)
    parts = {"digits": digits.train, "objects": objects.train}
    for name, part in parts.items():
        figures |= measure_epochs(name, part.draw(EPOCH_SAMPLES[name], seed=seed), seed, report)
    figures["resilience_pass_epochs"] = max(
        figures[f"{name}.resilience_pass_epochs"] for name in ("lenet", "objects")
    )
    figures |= measure_integers(digits, seed, report)
    return results_document(
        f"python -m tests.peers.bench_training --seed {seed}",
        figures,
        seed=seed,
        versions=package_versions(TOOLS),
        machine=f"{machine_name()}, one used",
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.bench_training")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in THREADS):
        # numpy's library reads them when it is loaded: too late to set them here.
        print(f"{' and '.join(THREADS)} must be 1; run `make bench-training`", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    document = run(options.seed, partial(console.print, soft_wrap=True))
    write_document(options.out, document, indent=1)
    for name, value in document["figures"].items():
        console.print(f"{name:36} {value:>12,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
