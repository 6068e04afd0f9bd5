"""The whole chain on the 8x8 digits: train, find the resilient neurons, approximate, evaluate.

A second run resumes an interrupted one; finished steps are not repeated.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from axnn import data, report
from axnn.approximation.widths import Trial
from axnn.flow.apps import find_app
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import Evaluation
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import (
    approximate_step,
    characterize_step,
    energy_model,
    evaluate_step,
    train_step,
)
from axnn.report import HardwareCheck
from qcnpe.command_line import command
from qcnpe.generate import generate
from qcnpe.prices import EnergyPrices
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from qcnpe.terminal import Console, show_progress
from sim.check import compare
from sim.transport import SimulationTransport
from synth.report import render
from synth.report import run as synthesize

APP = find_app("digits8x8")
ENGINE = APP.engine


class Stopwatch:
    """Announces the steps and records the duration of each."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        begin = perf_counter()
        yield
        self.seconds[name] = perf_counter() - begin


def prepare_network(run: RunFolder, seed: int, energy: EnergyModel, watch: Stopwatch) -> Evaluation:
    """Train, characterise, approximate and evaluate: `axnn` from data to integer networks."""
    with watch.step("train"), show_progress("training", APP.training.epochs) as update:
        train_step(run, APP, seed=seed, on_epoch=lambda epoch: update(epoch.number + 1))
    with watch.step("characterize"), show_progress("characterizing") as update:
        characterize_step(run, progress=update)
    with watch.step("approximate"), show_progress("approximating") as update:

        def tell(step: Trial) -> None:
            note = f"validation {step.accuracy:.2%}, {energy.price(step.events):,.0f} pJ"
            update(step.number, note)

        approximate_step(run, APP.approximation, on_trial=tell)
    with watch.step("evaluate"):
        return evaluate_step(run, energy.prices)


def check_hardware(run: RunFolder, watch: Stopwatch) -> HardwareCheck:
    """Run both networks on the simulated engine: `qcnpe` from integer networks to the RTL."""
    samples = Samples.load(run.test_inputs)
    with watch.step("generate"):
        generate(ENGINE, run.path / "verilog")
    with watch.step("build simulation"), show_progress("building the simulation"):
        engine = SimulationTransport(ENGINE)
    checks = {}
    with watch.step("simulate"), engine:
        for name, path in (("exact16", run.exact16), ("axnn", run.axnn)):
            with show_progress(f"simulating {name}", len(samples.inputs)) as update:
                net = QuantNet.load(path)
                checks[name] = compare(net, samples.inputs, engine, progress=update)
    return HardwareCheck(
        images_checked=checks["axnn"].samples,
        mismatches=checks["exact16"].mismatches + checks["axnn"].mismatches,
        exact16_cycles=checks["exact16"].cycles,
        axnn_cycles=checks["axnn"].cycles,
    )


def demonstrate(run: RunFolder, seed: int, table_path: Path | None) -> None:
    """Run every step, then show and write the figures."""
    watch = Stopwatch()
    energy = energy_model(EnergyPrices.load(table_path), APP, data.load(APP.data, seed=seed))
    with run.lock():
        evaluation = prepare_network(run, seed, energy, watch)
        hardware = check_hardware(run, watch)
        with watch.step("report"):
            page = report.write_run_page(run.path, [report.read_run(run, energy.prices)])
        with watch.step("synthesise"):
            area = synthesize(ENGINE, run.path / "synth", quick=True)
        facts, seconds = run.facts(), watch.seconds
        summary = report.make_summary(evaluation, facts, seconds=seconds, hardware=hardware)
        report.write_summary(run, summary)
    console = Console()
    console.print(report.trials_table(run.approximated(), energy))
    console.print(render(area))
    console.print(report.summary_table(APP.title, summary))
    console.print(f"Figures, to open in a browser: {page.path}")


def main() -> None:
    """Read the arguments; errors that a user can correct are one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("build/demo"), help="folder of the files")
    parser.add_argument("--seed", type=int, default=1, help="of split, weights and order")
    parser.add_argument("--prices", type=Path, help="energy prices; default: the committed ones")
    arguments = parser.parse_args()
    with command("demo"):
        demonstrate(RunFolder(arguments.run), arguments.seed, arguments.prices)


if __name__ == "__main__":
    main()
