"""Measures how fast networks are on this machine, compared with other tools.

All contestants take turns, so that they see the same load of the machine; a ratio is the median of
the ratios within each turn. With one thread, processor time is measured, which other programs on
the machine hardly change; with two threads, wall-clock time.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.benchmark.peers import (
    Classify,
    export_onnx,
    onnxruntime_session,
    quantise_onnx,
    torch_module,
)
from axnn.cpu.benchmark.run import BOUNDS_PERCENT, Run
from axnn.cpu.choice.approximated import Approximated
from axnn.cpu.predictor import Predictor
from axnn.data import Split
from qcnpe.spec.documents import Fraction, Natural
from qcnpe.spec.errors import FormatError
from qcnpe.spec.results import package_versions
from qcnpe.tools.process import run

BATCHES = (1, 64, 256)
THREADS = (1, 2)
EXACT, UNIFORM = "exact", "uniform"
NUMPY, TORCH, ORT, ORT_INT8 = "numpy", "PyTorch", "ONNX Runtime", "ONNX Runtime int8"

_CALIBRATION_SAMPLES = 512
_TURNS = 11
_TURN_SECONDS = 0.004
"""Shortest time for which a contestant computes in each turn."""

_FEWEST_TURNS = 5
_RACE_SECONDS = 5.0
"""Approximate time of all turns together: slow contestants have fewer turns."""

PACKAGES = ("llvmlite", "numba", "numpy", "onnx", "onnxruntime", "torch")
"""Packages that are timed, and those that they compute with: their versions are recorded."""


def axnn_label(bound_percent: float) -> str:
    """Name of the approximate network of a bound among the contestants."""
    return f"AxNN {bound_percent:g} %"


@dataclass(frozen=True)
class Timing:
    """One contestant with one batch size and one number of threads.

    Attributes
    ----------
    label : of the contestant
    threads, batch : number of threads and batch size
    median_us, low_us, high_us : time of a sample: median and quartiles
    speedup : median ratio of the exact kernels' time to this one's, turn by turn
    over_onnxruntime : median ratio of ONNX Runtime's (float32) time to this one's
    """

    label: str
    threads: int
    batch: int
    median_us: float
    low_us: float
    high_us: float
    speedup: float
    over_onnxruntime: float


@dataclass(frozen=True, eq=False)
class Field:
    """The contestants of a run.

    Attributes
    ----------
    predictors : the project's own networks, by label
    classifiers : makes each of the others for a number of threads; None if it does not support it
    accuracies : fraction right on the test part, of each
    """

    predictors: dict[str, Approximated]
    classifiers: dict[str, Callable[[int], Classify | None]]
    accuracies: dict[str, float]


def gather(run: Run, approximated: dict[float, Approximated], uniform: Approximated) -> Field:
    """All contestants, each evaluated once on the test part."""
    predictors = {EXACT: run.exact, UNIFORM: uniform}
    predictors |= {axnn_label(bound): found for bound, found in approximated.items()}
    network = run.exact.network
    plain, int8 = run.folder / "network.onnx", run.folder / "network-int8.onnx"
    export_onnx(network, plain)
    quantise_onnx(plain, int8, run.data.train.draw(_CALIBRATION_SAMPLES, seed=run.seed).inputs)
    classifiers: dict[str, Callable[[int], Classify | None]] = {
        NUMPY: lambda threads: network.predict if threads == 1 else None,
        TORCH: lambda threads: torch_module(network, threads),
        ORT: lambda threads: onnxruntime_session(plain, threads),
        ORT_INT8: lambda threads: onnxruntime_session(int8, threads),
    }
    accuracies = {
        label: _judge(Predictor(found).decision_function, run.data.test)
        for label, found in predictors.items()
    }
    for label, make in classifiers.items():
        classify = make(1)
        assert classify is not None
        accuracies[label] = _judge(classify, run.data.test)
    return Field(predictors, classifiers, accuracies)


def _judge(classify: Classify, split: Split) -> float:
    """Fraction right, computed in batches."""
    size = max(BATCHES)
    parts = [classify(split.inputs[at : at + size]) for at in range(0, len(split), size)]
    return split.task.quality(np.concatenate(parts), split.labels)


def race(field: Field, test: Split, *, seed: int) -> list[Timing]:
    """Time all contestants in turns, for each number of threads and each batch size.

    Parameters
    ----------
    field : the contestants
    test : the part from which batches are drawn
    seed : of the draw
    """
    samples = test.draw(max(BATCHES), seed=seed).inputs
    timings: list[Timing] = []
    for threads in THREADS:
        made: dict[str, Classify] = {
            label: Predictor(found, threads=threads).decision_function
            for label, found in field.predictors.items()
        }
        others = {label: make(threads) for label, make in field.classifiers.items()}
        made |= {label: classify for label, classify in others.items() if classify is not None}
        for batch in BATCHES:
            clock = process_time if threads == 1 else perf_counter
            seconds = take_turns(made, np.ascontiguousarray(samples[:batch]), clock=clock)
            timings += _timings(seconds, threads, batch)
    return timings


def take_turns(
    contestants: dict[str, Classify],
    inputs: NDArray[np.float32],
    *,
    clock: Callable[[], float] = perf_counter,
    turns: int = _TURNS,
) -> dict[str, list[float]]:
    """Seconds of a call, for each contestant in each turn."""
    once = {label: _once(classify, inputs, clock) for label, classify in contestants.items()}
    calls = {label: max(1, int(np.ceil(_TURN_SECONDS / took))) for label, took in once.items()}
    turn = sum(once[label] * calls[label] for label in contestants)
    turns = min(turns, max(_FEWEST_TURNS, int(_RACE_SECONDS / turn)))
    found: dict[str, list[float]] = {label: [] for label in contestants}
    for _ in range(turns):
        for label, classify in contestants.items():
            begin = clock()
            for _ in range(calls[label]):
                classify(inputs)
            found[label].append((clock() - begin) / calls[label])
    return found


def _once(classify: Classify, inputs: NDArray[np.float32], clock: Callable[[], float]) -> float:
    """Seconds of the second call; the first one may still set something up."""
    classify(inputs)
    begin = clock()
    classify(inputs)
    return clock() - begin


def _timings(seconds: dict[str, list[float]], threads: int, batch: int) -> Iterable[Timing]:
    for label, found in seconds.items():
        low, middle, high = np.quantile(found, (0.25, 0.5, 0.75)) * 1e6 / batch
        yield Timing(
            label,
            threads,
            batch,
            round(float(middle), 3),
            round(float(low), 3),
            round(float(high), 3),
            round(_ratio(seconds[EXACT], found), 3),
            round(_ratio(seconds[ORT], found), 3),
        )


def _ratio(first: list[float], second: list[float]) -> float:
    return median(a / b for a, b in zip(first, second, strict=True))


_FIRST_CALL = """
import sys
from time import perf_counter, process_time
import numpy as np
from axnn.cpu import Predictor
begin = perf_counter(), process_time()
predictor = Predictor.load(sys.argv[1])
predictor.predict(np.zeros((33, *predictor.input_shape), np.float32))  # needs both kernels
print(perf_counter() - begin[0], process_time() - begin[1])
"""


@dataclass(frozen=True)
class FirstCall:
    """Wall-clock and processor time from loading a predictor to its first result."""

    seconds: float
    processor_seconds: float


def first_calls(predictor: Path) -> tuple[FirstCall, FirstCall]:
    """A first call in a new environment, and one that finds the kernels compiled."""
    with TemporaryDirectory() as folder:
        first, cached = (_first_call(predictor, folder) for _ in range(2))
    return first, cached


def _first_call(predictor: Path, cache: str) -> FirstCall:
    command = [sys.executable, "-c", _FIRST_CALL, predictor.name]
    environment = {"NUMBA_CACHE_DIR": cache}
    said = run("first call", command, predictor.parent, environment=environment).stdout
    return FirstCall(*(round(float(word), 2) for word in said.split()))


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Contents of `speed.json`: speed and accuracy of each contestant.

    Attributes
    ----------
    app, seed : the subject and its seed
    machine, versions : processor and packages of the measurement
    samples : number of samples of the test part
    accuracy : on the test part, by contestant
    cost : of the predictors, in multiply-accumulates of the float32 kernels
    channels : of the predictors, for each layer, how many channels are on each level of its ladder
    first_call, cached_call : see `first_calls`
    timings : all measurements
    """

    app: str
    seed: Natural
    machine: str
    versions: dict[str, str]
    samples: Natural
    accuracy: dict[str, Fraction]
    cost: dict[str, float]
    channels: dict[str, list[list[Natural]]]
    first_call: FirstCall
    cached_call: FirstCall
    timings: tuple[Timing, ...]

    def __post_init__(self) -> None:
        labels = {timing.label for timing in self.timings} | self.cost.keys()
        if missing := sorted(labels - self.accuracy.keys()):
            raise FormatError(f"{missing[0]!r} has no accuracy")

    def timing(self, label: str, *, threads: int, batch: int) -> Timing:
        """One measurement; `FormatError` if there is none."""
        for found in self.timings:
            if (found.label, found.threads, found.batch) == (label, threads, batch):
                return found
        raise FormatError(f"{self.app}: {label} has not been measured; delete speed.json")


def summary(run: Run, field: Field, timings: list[Timing]) -> Speed:
    """The contents of `speed.json`."""
    first, cached = first_calls(run.folder / f"axnn-{BOUNDS_PERCENT[0]:g}.npz")
    return Speed(
        app=run.subject.name,
        seed=run.seed,
        machine=machine(),
        versions=package_versions(PACKAGES),
        samples=len(run.data.test),
        accuracy=field.accuracies,
        cost={label: found.cost for label, found in field.predictors.items()},
        channels={label: _channels(found) for label, found in field.predictors.items()},
        first_call=first,
        cached_call=cached,
        timings=tuple(timings),
    )


def _channels(found: Approximated) -> list[list[int]]:
    """For each layer, how many channels are on each level of its ladder."""
    return [np.bincount(levels).tolist() for levels in found.assignment]


def machine() -> str:
    """The processor's name and number of cores."""
    name = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux
    return f"{name}, {os.cpu_count()} processors"
