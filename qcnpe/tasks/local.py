"""Workers on this machine, which end with the process that started them."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from distributed import Client, LocalCluster
from distributed.security import Security

from qcnpe.spec.errors import WorkerError
from qcnpe.tasks.run import KILLED
from qcnpe.tools.process import Process

_GRACE_S = 20.0
"""Seconds for a worker to end its task and the tools that this has started."""

_POLL_S = 0.05

_STATUS_ADDRESS = "127.0.0.1:0"
"""Of the scheduler's status pages: the library's choice, port 8787 of all interfaces, is open to
the network, and warns where two commands run at once."""


@dataclass(frozen=True)
class LocalWorkers:
    """Processes that take tasks from a scheduler in this one.

    Attributes
    ----------
    client : takes the tasks
    processes : the workers
    """

    client: Client
    processes: tuple[Process, ...]

    def wait(self) -> None:
        """Wait until every worker that still runs has joined the scheduler.

        Raises
        ------
        WorkerError
            If none is left.
        """
        while self._joined() < sum(process.is_running for process in self.processes):
            sleep(_POLL_S)
        self.check()

    def _joined(self) -> int:
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def check(self) -> None:
        """Raise `WorkerError` if no worker is left."""
        if not any(process.is_running for process in self.processes):
            raise WorkerError(KILLED)


@contextmanager
def local_workers(count: int) -> Iterator[LocalWorkers]:
    """Start workers for the time of the block.

    The connections are encrypted with a certificate of their own, which only the workers have: the
    tasks that they send could otherwise be replaced by any user of the machine.

    Parameters
    ----------
    count : number of processes
    """
    security = Security.temporary()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="axnn-workers-")))
        cluster = stack.enter_context(
            LocalCluster(
                n_workers=0,
                security=security,
                scheduler_kwargs={"dashboard": False},
                dashboard_address=_STATUS_ADDRESS,
                silence_logs="CRITICAL",
            )
        )
        client = stack.enter_context(Client(cluster, set_as_default=False))
        introduction = {
            "address": cluster.scheduler_address,
            "authority": security.tls_ca_file,
            "certificate": security.tls_worker_cert,
            "key": security.tls_worker_key,
        }
        processes = tuple(stack.enter_context(_worker(folder, introduction)) for _ in range(count))
        yield LocalWorkers(client, processes)


@contextmanager
def _worker(folder: Path, introduction: dict[str, object]) -> Iterator[Process]:
    """A worker process, which ends when the pipe to it is closed: at the latest with this one."""
    reading, writing = os.pipe()
    try:
        command = [sys.executable, "-P", "-m", "qcnpe.tasks.worker", str(reading)]
        process = Process("worker", command, folder, inherited=[reading])
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    with process:
        try:
            with suppress(BrokenPipeError):
                os.write(writing, json.dumps(introduction).encode() + b"\n")
            yield process
        finally:
            os.close(writing)
            _wait(process)


def _wait(process: Process) -> None:
    """Give a worker the time to clean up."""
    end = monotonic() + _GRACE_S
    while process.is_running and monotonic() < end:
        sleep(0.01)
