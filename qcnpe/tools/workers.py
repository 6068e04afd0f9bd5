"""Worker processes, which end with the process that started them."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from time import sleep
from typing import Any, TypeVar

from qcnpe.spec.errors import WorkerError
from qcnpe.tools.stop import Stopped, stops_on_signals

T = TypeVar("T")

_KILLED = (
    "a working process was killed, perhaps for want of memory; run again with fewer of them: what"
    " is finished is kept"
)


_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a worker; it ignores Ctrl-C, which a terminal also sends to the parent."""

_GRACE_S = 20.0
"""Seconds for a worker without a parent to clean up."""


class Workers(ProcessPoolExecutor):
    """Processes whose jobs clean up when they are stopped; see `worker_processes`.

    Parameters
    ----------
    count : number of processes
    """

    def __init__(self, count: int) -> None:
        super().__init__(count, mp_context=get_context("spawn"), initializer=_end_with_parent)

    def submit(self, job: Callable[..., T], /, *arguments: Any, **named: Any) -> "Future[T]":
        """Submit a job: a function of a module, with arguments that can be sent to a process."""
        return super().submit(_do, job, *arguments, **named)


@contextmanager
def worker_processes(count: int) -> Iterator[Workers]:
    """Processes for the time of the block.

    If an exception, including an interrupt, leaves the block, the processes and the tools that they
    have started are ended, and jobs that have not begun are cancelled.

    Parameters
    ----------
    count : number of processes

    Raises
    ------
    WorkerError
        If one of them is killed.
    """
    earlier = set(active_children())
    with _safe_imports(), Workers(count) as pool:
        try:
            yield pool
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(active_children()) - earlier:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise WorkerError(_KILLED) from None
            raise


@contextmanager
def _safe_imports() -> Iterator[None]:
    """Keep processes that are started in the block from importing from the current folder."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _end_with_parent() -> None:
    """In a worker, at its start: end when the parent requests it or is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # so that the main thread ends its job cleanly
        sleep(_GRACE_S)
        os._exit(1)


def _do(job: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
    """In a worker: do a job; if it is stopped, clean up and end the worker."""
    try:
        with stops_on_signals(_SIGNALS):
            return job(*arguments, **named)
    except Stopped:
        os._exit(1)
