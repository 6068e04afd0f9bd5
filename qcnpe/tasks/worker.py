"""A worker process: `python -m qcnpe.tasks.worker DESCRIPTOR`.

It reads from an inherited pipe what it needs to join a scheduler, and ends when the pipe is closed.
Its tasks run in the main thread, which alone receives signals: a task that is stopped ends the
tools that it has started and deletes its temporary files.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread, main_thread
from time import sleep
from typing import Any, TypeVar

from distributed import Worker
from distributed.security import Security

from qcnpe.tools.stop import Stopped, stops_on_signals

T = TypeVar("T")

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a worker; it ignores Ctrl-C, which a terminal also sends to the parent."""

_GRACE_S = 20.0
"""Seconds for the main thread to clean up."""


class MainThread(Executor):
    """Runs in the main thread what other threads submit."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, job: Callable[..., T], /, *arguments: Any, **named: Any) -> "Future[T]":
        """Submit a job."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(job(*arguments, **named))
            except Exception as error:
                future.set_exception(error)

        self._jobs.put(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let `run` return when all jobs before are done."""
        self._jobs.put(None)

    def run(self) -> None:
        """Run jobs until `shutdown` is called."""
        while (job := self._jobs.get()) is not None:
            job()


def _end_with_pipe(descriptor: int) -> None:
    """Request the main thread to end when the parent closes its end, or is killed."""
    while os.read(descriptor, 1):
        pass
    signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)  # wakes it from any wait
    sleep(_GRACE_S)
    os._exit(1)


def _read_line(descriptor: int) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(descriptor, 1)
        if not part:
            sys.exit(1)  # the parent has ended already
        line += part
    return bytes(line)


async def _serve(introduction: dict[str, str], executor: MainThread) -> None:
    security = Security(
        require_encryption=True,
        tls_ca_file=introduction["authority"],
        tls_worker_cert=introduction["certificate"],
        tls_worker_key=introduction["key"],
    )
    worker = Worker(
        introduction["address"], nthreads=1, security=security, executor=executor, dashboard=False
    )
    async with worker:
        await worker.finished()


def main() -> None:
    """Work until the scheduler or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor = int(sys.argv[1])
    introduction = json.loads(_read_line(descriptor))
    executor = MainThread()

    def serve() -> None:
        try:
            asyncio.run(_serve(introduction, executor))
        finally:
            executor.shutdown()

    try:
        with stops_on_signals(_SIGNALS):
            Thread(target=_end_with_pipe, args=(descriptor,), daemon=True).start()
            Thread(target=serve, daemon=True).start()
            executor.run()
    except Stopped as stopped:
        os._exit(stopped.status)  # without waiting for the thread that talks to the scheduler
    os._exit(0)


if __name__ == "__main__":
    main()
