"""What runs on a worker: a job, and its way to tell what it has done."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qcnpe.tools.stop import Stopped

if TYPE_CHECKING:
    from distributed import Worker

S_in = TypeVar("S_in", contravariant=True)
T_in = TypeVar("T_in", contravariant=True)
R_out = TypeVar("R_out", covariant=True)
V = TypeVar("V")


class Job(Protocol[S_in, T_in, R_out]):
    """A function of a module that does one task."""

    def __call__(self, shared: S_in, item: T_in, tell: Callable[[str], None], /) -> R_out:
        """Do the task."""


def hold(shared: V) -> V:
    """A task whose result is the data that all others share."""
    return shared


def perform(job: Job[Any, Any, V], shared: Any, item: Any, topic: str, index: int) -> V:
    """Do a task on a worker; what it tells is sent to the client under a topic."""
    try:
        return job(shared, item, partial(_tell, this_worker(), topic, index))
    except Stopped as stopped:
        os._exit(stopped.status)  # the worker would take it for an error, and go on


def _tell(worker: "Worker", topic: str, index: int, note: str) -> None:
    worker.log_event(topic, {"task": index, "note": note})


def this_worker() -> "Worker":
    """The worker in whose process this is called."""
    from distributed.worker import Worker

    return next(iter(Worker._instances))
