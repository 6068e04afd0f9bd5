"""Runs tasks on dask.distributed, or in this process where that is enough."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from qcnpe.spec.errors import ConfigError, WorkerError
from qcnpe.tasks.job import Job, hold, perform
from qcnpe.tools.extras import require_modules

if TYPE_CHECKING:
    from distributed import Client, Future

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")

Notify = Callable[[int, str], None]
"""Called with a task's index and a few words on what it has just done."""

_CONNECT_S = 20
"""Seconds in which a scheduler must answer."""

_POLL_S = 1.0
"""How often it is seen whether the workers still live."""

KILLED = (
    "a working process was killed, perhaps for want of memory; run again with fewer of them: what"
    " is finished is kept"
)
"""What is said when no worker is left."""


@dataclass(frozen=True)
class Workplace:
    """Where tasks run.

    Attributes
    ----------
    workers : processes on this machine; 1 means this process itself
    scheduler : address of a scheduler of dask.distributed, whose workers are used in place of them

    Raises
    ------
    ConfigError
        If there is no worker.
    """

    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"workers must be at least 1, not {self.workers}")

    @property
    def is_this_process(self) -> bool:
        """Whether no other process is needed."""
        return self.scheduler is None and self.workers == 1

    def check(self) -> None:
        """Check that what is needed is installed.

        Raises
        ------
        ToolMissingError
            Names what is missing.
        """
        if not self.is_this_process:
            require_modules("distributed", "cryptography")


IN_THIS_PROCESS = Workplace()
"""One task after another, here."""


def run_tasks(
    job: Job[S, T, R],
    shared: S,
    items: Sequence[T],
    where: Workplace = IN_THIS_PROCESS,
    notify: Notify = lambda index, note: None,
) -> Iterator[tuple[int, R]]:
    """Do a job for every item; yields indices and results in the order in which they are finished.

    Parameters
    ----------
    job : a function of a module; is called with the shared data, an item, and a function that tells
        what it has just done
    shared : what all tasks need; is sent once to each worker
    items : what each task is about
    where : where the tasks run; in this process in the order of the items
    notify : called with what tasks tell

    Raises
    ------
    WorkerError
        If no worker is left, or a scheduler cannot be reached.
    """
    where.check()
    if where.is_this_process:
        for index, item in enumerate(items):
            yield index, job(shared, item, partial(notify, index))
        return
    from qcnpe.tasks.local import local_workers

    if where.scheduler is None:
        with local_workers(min(where.workers, len(items) or 1)) as local:
            local.wait()
            yield from _submit(local.client, job, shared, items, notify, local.check)
    else:
        with _connected(where.scheduler) as client:
            yield from _submit(client, job, shared, items, notify, lambda: None)


@contextmanager
def _connected(address: str) -> Iterator["Client"]:
    """A client of a scheduler that runs already."""
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"no scheduler of dask.distributed answers at {address} ({error}); start one with"
            " `dask scheduler`"
        ) from None
    with client:
        yield client


class _Submission:
    """The tasks of one call, on a scheduler's workers.

    Parameters
    ----------
    client : of the scheduler
    job : what is done
    shared : what all tasks need
    items : what each task is about
    """

    def __init__(self, client: "Client", job: Job[S, T, R], shared: S, items: Sequence[T]) -> None:
        self.name = f"axnn-{uuid4().hex}"
        self._client, self._job, self._items = client, job, items
        # A task, not scattered data: it is done again if the worker that holds it is killed.
        self._shared = client.submit(hold, shared, key=f"{self.name}-shared")
        self._holders: set[str] = set()
        self._running: dict[Future[Any], int] = {}
        self._begun = 0

    @property
    def is_finished(self) -> bool:
        """Whether all tasks are done."""
        return self._begun == len(self._items) and not self._running

    def fill(self) -> None:
        """Submit as many tasks as can run: one that waits behind a long one could not move."""
        threads = self._client.nthreads()
        self._share(set(threads))
        free = sum(threads.values()) - len(self._running)
        for index in range(self._begun, min(self._begun + max(free, 0), len(self._items))):
            future = self._client.submit(
                perform,
                self._job,
                self._shared,
                self._items[index],
                self.name,
                index,
                key=f"{self.name}-{index}",
            )
            self._running[future] = index
            self._begun += 1

    def _share(self, workers: set[str]) -> None:
        """Send the data to workers that do not have them, since tasks only go to those."""
        if workers - self._holders and self._wait([self._shared]):
            self._client.replicate([self._shared])
            self._holders = workers

    def finished(self) -> Iterator[tuple[int, Any]]:
        """Wait a moment; yields indices and results of the tasks that are done."""
        if not self._running:
            sleep(_POLL_S)
        for future in self._wait(list(self._running)):
            yield self._running.pop(future), future.result()

    def _wait(self, futures: "list[Future[Any]]") -> "set[Future[Any]]":
        """Those that are done, after a moment at most."""
        from distributed import wait

        with self._client.as_current(), suppress(TimeoutError):
            done: set[Future[Any]] = wait(
                futures, timeout=_POLL_S, return_when="FIRST_COMPLETED"
            ).done
            return done
        return set()

    def cancel(self) -> None:
        """Cancel what has not been done, and forget the data."""
        self._client.cancel([*self._running, self._shared], force=True)


def _submit(
    client: "Client",
    job: Job[S, T, R],
    shared: S,
    items: Sequence[T],
    notify: Notify,
    check: Callable[[], None],
) -> Iterator[tuple[int, R]]:
    """Run tasks on a scheduler's workers; `check` raises an error if they are dead."""
    from distributed import KilledWorker

    submission = _Submission(client, job, shared, items)

    def hear(event: tuple[Any, dict[str, Any]]) -> None:
        notify(event[1]["task"], event[1]["note"])

    client.subscribe_topic(submission.name, hear)
    try:
        while not submission.is_finished:
            check()
            submission.fill()
            yield from submission.finished()
    except KilledWorker:
        raise WorkerError(KILLED) from None
    finally:
        submission.cancel()
        client.unsubscribe_topic(submission.name)
