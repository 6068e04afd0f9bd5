"""Starts external programs, each in its own process group, and ends them with their children."""

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from types import TracebackType

from qcnpe.spec.errors import ToolError
from qcnpe.tools.cause import true_cause
from qcnpe.tools.environment import tool_environment
from qcnpe.tools.stop import uninterrupted

_GRACE_S = 2.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Output:
    """The output of a finished tool.

    Attributes
    ----------
    stdout, stderr : text that it wrote
    status : its exit status
    """

    stdout: str
    stderr: str
    status: int


class ToolGroup:
    """Processes that are ended together; after that no more can be started in the group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._closed = False

    def add(self, process: "Process") -> None:
        """Add a process that has just been started; end it if the group was ended before."""
        with self._lock:
            self._running.add(process)
            closed = self._closed
        if closed:
            process.end()
            raise ToolError(f"{process.name}: not started, since the command was ended")

    def remove(self, process: "Process") -> None:
        """Forget a process that has ended."""
        with self._lock:
            self._running.discard(process)

    def end(self) -> None:
        """End all processes, and any that is added later."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.end()


_of_thread = threading.local()
"""The attribute `group` is the group of the thread, if it has one."""


class ToolThreads(ThreadPoolExecutor):
    """Threads that start tools.

    If an exception, including an interrupt, leaves the `with` block, the tools are ended, and jobs
    that have not begun are cancelled.

    Parameters
    ----------
    workers : number of threads
    """

    def __init__(self, workers: int) -> None:
        self._tools = ToolGroup()
        super().__init__(workers, initializer=self._enter_group)

    def _enter_group(self) -> None:
        _of_thread.group = self._tools

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.shutdown(wait=False, cancel_futures=True)
            self._tools.end()
        super().__exit__(kind, error, trace)


class Process:
    """A running tool, used as a context manager: leaving the block ends it and its children.

    The tool gets the environment of `tool_environment`, an empty stdin, and its own temporary
    folder, which is deleted at the end with everything in it. Pass paths to a tool as relative
    paths of plain letters, as that of the temporary folder is: makefiles, Yosys and the shells that
    tools start interpret spaces, quotes and dollar signs in paths.

    Parameters
    ----------
    name : for messages
    command : program and arguments
    folder : working folder
    log : file for the command and all output of the tool; default: a file in the user's temporary
        folder, only if the tool fails
    environment : variables besides those of `tool_environment`
    downloads : the tool is a package client
    inherited : descriptors of open files that the tool shares

    Raises
    ------
    ToolError
        If the program cannot be started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        downloads: bool = False,
        inherited: Collection[int] = (),
    ) -> None:
        self.name, self._command, self._folder, self._log = name, command, folder, log
        self._scratch = TemporaryDirectory(prefix=".tool-", dir=folder)
        place = Path(self._scratch.name)
        self._output, self._errors = place / "stdout", place / "stderr"
        variables = {
            **tool_environment(downloads=downloads),
            "TMPDIR": place.name,
            **(environment or {}),
        }
        self._lock, self._is_swept, self._was_ended = threading.Lock(), False, False
        self._group: ToolGroup | None = getattr(_of_thread, "group", None)
        try:
            with uninterrupted():
                self._process = self._start(variables, inherited)
                if self._group:
                    self._group.add(self)
        except OSError as error:
            self._scratch.cleanup()
            raise ToolError(f"{name}: cannot start {command[0]}: {error.strerror}") from error

    def _start(
        self, variables: Mapping[str, str], inherited: Collection[int]
    ) -> subprocess.Popen[bytes]:
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            return subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                process_group=0,
                pass_fds=inherited,
            )

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the tool, and delete its temporary folder."""
        self.end()
        if self._group:
            self._group.remove(self)
        self._scratch.cleanup()

    @property
    def is_running(self) -> bool:
        """Whether the tool has not ended."""
        if self._process.poll() is None:
            return True
        self._sweep()
        return False

    def wait(self, limit_s: float | None = None) -> Output:
        """Wait until the tool ends.

        Parameters
        ----------
        limit_s : the longest time, in seconds; a tool that takes longer is ended

        Raises
        ------
        ToolError
            If the tool takes longer.
        """
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.end()

        timer = threading.Timer(limit_s, expire) if limit_s else None
        if timer:
            timer.start()
        try:
            status = self._process.wait()
        finally:
            if timer:
                timer.cancel()
        self._sweep()
        if expired.is_set():
            raise ToolError(f"{self.name}: took over {limit_s:g} s and was ended{self._logged()}")
        return Output(_read(self._output), _read(self._errors), status)

    def end(self) -> None:
        """End the tool and its children: SIGTERM, then SIGKILL."""
        if self.is_running:
            self._was_ended = True
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_S)
        if self.is_running:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._sweep()

    def _sweep(self) -> None:
        """Kill children that outlive the tool, before the number of their group is reused."""
        with self._lock:
            if not self._is_swept:
                self._is_swept = True
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def failure(self) -> ToolError:
        """Why the tool, which has ended, failed; names the log file."""
        if self._was_ended:
            return ToolError(f"{self.name}: was ended")
        cause = true_cause(self._errors, self._output, self._process.returncode)
        return ToolError(f"{self.name}: {cause}{self._logged()}")

    def _logged(self) -> str:
        return f"; log: {self.keep_log()}"

    def keep_log(self) -> Path:
        """Write the log file; returns its path."""
        if self._log is None:
            handle, name = mkstemp(prefix=f"{self.name.lower()}-", suffix=".log")
            os.close(handle)
            self._log = Path(name)
        with self._log.open("wb") as log:
            words = shlex.join(map(str, self._command))
            head = f"$ {words}\n# in {self._folder.absolute()}\n"
            log.write(head.encode(errors="surrogateescape"))
            for part in (self._output, self._errors):
                with part.open("rb") as said:
                    shutil.copyfileobj(said, log)
            log.write(f"# ended with status {self._process.returncode}\n".encode())
        return self._log


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def run(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    downloads: bool = False,
    limit_s: float | None = None,
    check: bool = True,
) -> Output:
    """Run a tool to its end; see `Process` for the parameters.

    Parameters
    ----------
    limit_s : the longest time, in seconds
    check : a status other than zero is an error

    Raises
    ------
    ToolError
        If it cannot be started, fails or takes too long: with the cause and the log's path.
    """
    with Process(
        name, command, folder, log=log, environment=environment, downloads=downloads
    ) as process:
        output = process.wait(limit_s)
        if check and output.status:
            raise process.failure()
        if log is not None:
            process.keep_log()
        return output
