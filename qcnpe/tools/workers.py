"""Processes that share work, and that end with the process that started them."""

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
"""What ends a worker; Ctrl-C, which a terminal sends to all, it leaves to its parent."""

_GRACE_S = 20.0
"""How long a worker without a parent may take to clean up."""


class Workers(ProcessPoolExecutor):
    """Processes whose jobs clean up after themselves when they are stopped; see `worker_processes`.

    Parameters
    ----------
    count : processes
    """

    def __init__(self, count: int) -> None:
        super().__init__(count, mp_context=get_context("spawn"), initializer=_end_with_parent)

    def submit(self, job: Callable[..., T], /, *arguments: Any, **named: Any) -> "Future[T]":
        """Let a worker do a job: call a function of a module, whose arguments can be sent."""
        return super().submit(_do, job, *arguments, **named)


@contextmanager
def worker_processes(count: int) -> Iterator[Workers]:
    """Processes for the time of the block.

    If the block is left by an exception, an interrupt among them, then they and the tools that they
    have started are ended, and what has not begun is dropped.

    Parameters
    ----------
    count : processes

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
    """Keep processes that are started in the block from importing out of the current folder."""
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
    """In a worker, at its start: end when the parent asks for it or is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # so that the main thread ends its job in order
        sleep(_GRACE_S)
        os._exit(1)


def _do(job: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
    """In a worker: do a job; if it is stopped, end the worker when it has cleaned up."""
    try:
        with stops_on_signals(_SIGNALS):
            return job(*arguments, **named)
    except Stopped:
        os._exit(1)
