"""Runs the experiments of several applications, several at once, and says how far they are."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from axnn.experiments.folder import AppFolder
from axnn.experiments.stages import seeds, stages
from qcnpe.prices import EnergyPrices
from qcnpe.spec.errors import ConfigError, QcnpeError, one_line
from qcnpe.tasks import IN_THIS_PROCESS, Workplace, run_tasks


@dataclass(frozen=True)
class Job:
    """One application with one seed.

    Attributes
    ----------
    name : of the application
    seed : of split, weights and order
    stages : names of what is run, in order
    """

    name: str
    seed: int
    stages: tuple[str, ...]

    @property
    def title(self) -> str:
        """What a reader knows the job by."""
        return f"{self.name}, seed {self.seed}"


@dataclass(frozen=True)
class Finished:
    """How a job ended.

    Attributes
    ----------
    job : the job
    seconds : that each stage took, by name
    error : why it could not go on; None if it is complete
    """

    job: Job
    seconds: dict[str, float]
    error: str | None


def plan_jobs(
    names: Sequence[str], only: Collection[str], only_seeds: Collection[int] = ()
) -> list[Job]:
    """Jobs of these applications: every seed, with all stages.

    Parameters
    ----------
    names : of the applications
    only, only_seeds : names of stages, and seeds, beside which none is run; empty for all

    Raises
    ------
    ConfigError
        If none of the applications has any of these stages with any of these seeds.
    """
    jobs = []
    for name in names:
        for seed in seeds(name):
            wanted = [stage.name for stage in stages(name, seed)]
            chosen = tuple(stage for stage in wanted if not only or stage in only)
            if chosen and (not only_seeds or seed in only_seeds):
                jobs.append(Job(name, seed, chosen))
    if not jobs:
        which = f" with seed {' or '.join(map(str, only_seeds))}" if only_seeds else ""
        stage = f"stage {' or '.join(only)}" if only else "stages"
        raise ConfigError(f"nothing to run: {', '.join(names)}{which} has no {stage}")
    return jobs


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    prices: EnergyPrices,
    *,
    where: Workplace = IN_THIS_PROCESS,
    notify: Callable[[Job, str], None],
    on_finished: Callable[[Finished], None],
) -> None:
    """Run jobs; one that fails does not stop the others.

    Parameters
    ----------
    jobs : in the order in which they begin
    folder : of all applications; workers on other machines see it under the same path
    prices : of the engine's events
    where : where the jobs run
    notify : called with what a job has just done
    on_finished : called with each job's end

    Raises
    ------
    WorkerError
        If no worker is left.
    """
    shared = _Shared(folder.absolute(), prices)

    def tell(index: int, note: str) -> None:
        notify(jobs[index], note)

    for _, finished in run_tasks(_run_logged, shared, jobs, where, tell):
        on_finished(finished)


@dataclass(frozen=True)
class _Shared:
    """What all jobs need."""

    folder: Path
    prices: EnergyPrices


def _run(job: Job, folder: Path, prices: EnergyPrices, notify: Callable[[str], None]) -> Finished:
    place = AppFolder(folder, job.name, job.seed)
    seconds: dict[str, float] = {}
    try:
        with place.trained.lock():
            for stage in stages(job.name, job.seed):
                if stage.name in job.stages:
                    begin = perf_counter()
                    stage.run(place, prices, partial(_prefixed, notify, stage.name))
                    seconds[stage.name] = perf_counter() - begin
                    place.spend(stage.name, seconds[stage.name])
    except (QcnpeError, OSError) as error:
        return Finished(job, seconds, one_line(error))
    return Finished(job, seconds, None)


def _prefixed(notify: Callable[[str], None], stage: str, note: str) -> None:
    notify(f"{stage}: {note}")


def _run_logged(shared: _Shared, job: Job, notify: Callable[[str], None]) -> Finished:
    """What a job has done goes to a file, too."""
    path = AppFolder(shared.folder, job.name, job.seed).path / "log.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", buffering=1) as log:

        def tell(note: str) -> None:
            print(note, file=log)
            notify(note)

        return _run(job, shared.folder, shared.prices, tell)
