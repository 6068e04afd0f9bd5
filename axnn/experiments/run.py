"""Runs the experiments of several applications, several at once, and says how far they are."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from axnn.experiments.folder import AppFolder
from axnn.experiments.stages import seeds, stages
from axnn.flow.energy import EnergyPrices
from qcnpe.spec.errors import QcnpeError, one_line
from qcnpe.tools.workers import worker_processes

_POLL_SECONDS = 1.0
"""How often the notes of jobs in other processes are read."""


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
    """
    jobs = []
    for name in names:
        for seed in seeds(name):
            wanted = [stage.name for stage in stages(name, seed)]
            chosen = tuple(stage for stage in wanted if not only or stage in only)
            if chosen and (not only_seeds or seed in only_seeds):
                jobs.append(Job(name, seed, chosen))
    return jobs


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    prices: EnergyPrices,
    *,
    processes: int,
    notify: Callable[[Job, str], None],
    on_finished: Callable[[Finished], None],
) -> None:
    """Run jobs, so many at once; one that fails does not stop the others.

    Parameters
    ----------
    jobs : in the order in which they begin
    folder : of all applications
    prices : prices
    processes : jobs at once
    notify : called with what a job has just done
    on_finished : called with each job's end

    Raises
    ------
    WorkerError
        If a process is killed.
    """
    if processes == 1:
        for job in jobs:
            on_finished(_run(job, folder, prices, partial(notify, job)))
        return
    with worker_processes(processes) as pool:
        running = {pool.submit(_run_logged, job, folder, prices): job for job in jobs}
        while running:
            done, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                del running[future]
                on_finished(future.result())
            for job in running.values():
                note = _last_line(_log_path(folder, job))
                if note:
                    notify(job, note)


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


def _run_logged(job: Job, folder: Path, prices: EnergyPrices) -> Finished:
    """In a process of its own: what it has done goes to a file, from which the parent reads."""
    path = _log_path(folder, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", buffering=1) as log:
        return _run(job, folder, prices, partial(print, file=log))


def _log_path(folder: Path, job: Job) -> Path:
    return AppFolder(folder, job.name, job.seed).path / "log.txt"


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return lines[-1] if lines else ""
