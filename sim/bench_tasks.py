"""Measures tasks on two processes of this machine against one: LeNet counted on many engines.

`python -m sim.bench_tasks --out results/tasks.json` remakes the committed figures. The machine must
be idle. Rounds alternate; a ratio is of the two times of one round, and holds the start and the end
of the processes. Both ways must give the same results. Processor seconds are of all processes
together; they say what the tasks cost more on two, and hardly depend on what else runs.
"""

import argparse
import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from axnn.exploration import Space
from axnn.exploration.counting import EngineCount, Point, Shared, count_engines, measure_activity
from axnn.exploration.explore import in_parts
from qcnpe.area import AreaModel
from qcnpe.command_line import command
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import package_versions, results_document
from qcnpe.tasks import Workplace, run_tasks
from qcnpe.terminal import Console
from sim.bench_networks import WORKLOADS

ROUNDS, SEED = 3, 1
TOOLS = ("distributed", "numpy")
ENGINE = EngineConfig()
SPACE = Space(
    rows=tuple(range(1, 17)),
    cols=tuple(range(1, 17)),
    precisions=((16, 8, 4, 2),),
    ncus=("fused", "gated", "plain16"),
)
_SAMPLES = 8


def make_work() -> tuple[Shared, list[EngineConfig]]:
    """LeNet at 16 bits, with what its operands do, and the engines."""
    workload = WORKLOADS["lenet"]
    net = workload.integers(ENGINE.precisions[0], ENGINE, SEED)
    samples = np.random.default_rng(SEED).random((_SAMPLES, *workload.spec.input_shape))
    activity = {("lenet", ncu): measure_activity(net, ENGINE, ncu, samples) for ncu in SPACE.ncus}
    point = Point("lenet", net, 1.0, 0.0)
    return Shared((point,), activity, EnergyPrices.load(), AreaModel.load()), SPACE.engines(ENGINE)


def timed(
    shared: Shared, engines: Sequence[EngineConfig], workers: int
) -> tuple[float, float, list[EngineCount]]:
    """Seconds and processor seconds for all engines, and what was found for each."""
    begin, before = perf_counter(), processor_s()
    where = Workplace(workers=workers)
    found = dict(run_tasks(count_engines, shared, in_parts(engines, where), where))
    seconds, used = perf_counter() - begin, processor_s() - before
    return seconds, used, [each for index in sorted(found) for each in found[index]]


def processor_s() -> float:
    """Seconds that this process and its ended children have computed."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> int:
    """The command line; the exit status says whether the results are the same."""
    parser = argparse.ArgumentParser(prog="python -m sim.bench_tasks", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    report = partial(Console().print, soft_wrap=True)
    shared, engines = make_work()
    times: dict[int, list[float]] = {1: [], 2: []}
    used: dict[int, list[float]] = {1: [], 2: []}
    differences = 0
    for _ in range(options.rounds):
        found = {}
        for workers, series in times.items():
            seconds, computed, found[workers] = timed(shared, engines, workers)
            series.append(seconds)
            used[workers].append(computed)
            report(
                f"{len(engines)} engines, {workers} workers: {seconds:.1f} s,"
                f" {computed:.1f} processor seconds"
            )
        differences += sum(one != two for one, two in zip(found[1], found[2], strict=True))
    ratios = [one / two for one, two in zip(times[1], times[2], strict=True)]
    figures = {
        "engines": len(engines),
        "rounds": options.rounds,
        "differences": differences,
        **{f"workers_{workers}.s": round(median(series), 2) for workers, series in times.items()},
        **{
            f"workers_{workers}.processor_s": round(median(series), 2)
            for workers, series in used.items()
        },
        "speedup": round(median(ratios), 3),
        "speedup_least": round(min(ratios), 3),
        "engines_per_minute": round(60 * len(engines) / median(times[1])),
    }
    report(f"{figures['speedup']} times as fast, {differences} results differ")
    versions = package_versions(TOOLS)
    document = results_document("make bench-tasks", figures, seed=SEED, versions=versions)
    write_document(options.out, document, indent=1)
    return int(bool(differences))


if __name__ == "__main__":
    with command("bench_tasks"):
        sys.exit(main())
