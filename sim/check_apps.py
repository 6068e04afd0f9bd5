"""Runs the applications' final networks on the simulated engine, image by image.

    python -m sim.check_apps --folder build/apps digits letters

Writes `hardware.json` into the folder of each application; networks that have been checked are not
run again.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import named_apps
from axnn.experiments.documents import HARDWARE, Hardware
from axnn.experiments.folder import AppFolder
from axnn.experiments.stages import SEEDS
from axnn.flow.run_folder import bound_name
from qcnpe.command_line import command
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from qcnpe.terminal import Progress
from sim.check import RtlCheck, compare
from sim.transport import SimulationTransport

_BATCH = 20
"""Images that are sent to the engine at once: few, so that the progress bar moves."""


def check_app(place: AppFolder, images: int, progress: Progress) -> Hardware:
    """Run test images through the networks of all bounds on the application's engine."""
    with SimulationTransport(place.trained.record().app.engine) as engine:
        found = [_check_bound(place, bound, images, engine, progress) for bound in BOUNDS]
    return Hardware(
        images_checked=min(each.samples for each in found),
        mismatches=sum(each.mismatches for each in found),
        miscounts=sum(abs(each.cycles - each.counted_cycles) for each in found),
    )


def _check_bound(
    place: AppFolder, bound: float, images: int, engine: SimulationTransport, progress: Progress
) -> RtlCheck:
    run = place.variant(bound_name(bound))
    inputs = Samples.load(run.test_inputs).draw(images, seed=place.seed).inputs
    task = progress.add_task(f"{place.name}, {bound_name(bound)}", total=len(inputs))

    def update(done: int) -> None:
        progress.update(task, completed=done)

    return compare(QuantNet.load(run.axnn), inputs, engine, batch=_BATCH, progress=update)


def check_apps(folder: Path, names: list[str], images: int) -> list[str]:
    """Check applications, one after the other; returns those that differ from the model."""
    wrong = []
    with Progress() as progress:
        for name in names:
            place = AppFolder(folder, name, SEEDS[0])
            found = _checked(place, images, progress)
            if found.mismatches or found.miscounts:
                wrong.append(name)
    return wrong


def _checked(place: AppFolder, images: int, progress: Progress) -> Hardware:
    """The figures of an application; existing ones, if they are of the same networks."""
    place.check()
    with place.trained.lock():
        runs = [place.variant(bound_name(bound)) for bound in BOUNDS]
        for run in runs:
            run.judgement()
        files = [file for run in runs for file in (run.axnn, run.test_inputs)]
        made_from = place.ancestry(HARDWARE.name, files, images=images)
        if not place.holds(HARDWARE.name, made_from):
            place.write(HARDWARE.name, asdict(check_app(place, images, progress)), made_from)
    found = place.figures(HARDWARE)
    assert found is not None
    return found


def main() -> None:
    """Read the arguments; errors that a user can correct are one line."""
    parser = argparse.ArgumentParser(
        prog="python -m sim.check_apps",
        description="Run the applications' final networks on the simulated engine.",
        epilog="Example: python -m sim.check_apps --folder build/apps letters",
    )
    parser.add_argument("apps", nargs="*", default=["all"], help="default: all")
    parser.add_argument("--folder", type=Path, required=True, help="folder of `axnn experiments`")
    parser.add_argument(
        "--images", type=int, default=100, help="test images of each, drawn at random (100)"
    )
    arguments = parser.parse_args()
    with command("check_apps"):
        names = named_apps(arguments.apps)
        wrong = check_apps(arguments.folder, names, arguments.images)
    if wrong:
        sys.exit(f"check_apps: not equal to the model: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
