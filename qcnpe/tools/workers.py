"""Processes that share work, and that end with the process that started them."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from types import FrameType

from qcnpe.tools.process import end_own_tools


@contextmanager
def worker_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for the time of the block.

    If the block is left by an exception, an interrupt among them, then they and the tools that they
    have started are ended, and what has not begun is dropped.

    Parameters
    ----------
    count : processes
    """
    earlier = set(active_children())
    with (
        _safe_imports(),
        ProcessPoolExecutor(
            count, mp_context=get_context("spawn"), initializer=_end_with_parent
        ) as pool,
    ):
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(active_children()) - earlier:
                process.terminate()
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
    """In a worker: end when the parent asks for it or is killed, instead of finishing the job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal asks all; the parent decides
    signal.signal(signal.SIGTERM, _end)
    Thread(target=_wait_for_parent, daemon=True).start()


def _end(number: int = 0, frame: FrameType | None = None) -> None:
    end_own_tools()
    os._exit(1)


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        _end()
