"""A disk that fails, or a process that ends, at the n-th operation that changes a folder.

What is to be tested runs in a forked child. Its operations below the folder (creating, writing,
flushing, renaming and removing files) are counted; the n-th one fails as on a full disk, as do all
after it, or ends the process before it is done. A power failure ends it, too, and takes what was
not flushed: the content of files, and their new names.
"""

import builtins
import errno
import io
import json
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import accumulate, groupby
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from qcnpe.spec.errors import QcnpeError, one_line

KILLED = 9
_PATIENCE_SECONDS = 120

_OPEN, _OS_OPEN, _OS_REPLACE, _OS_UNLINK = io.open, os.open, os.replace, os.unlink


class Fault(Enum):
    """What happens at the n-th operation."""

    FULL_DISK = auto()
    KILL = auto()
    POWER_FAILURE = auto()


@dataclass
class Disk:
    """Counts the operations below a folder, and fails.

    Attributes
    ----------
    folder : whose operations count
    fault : what happens
    at : at which operation, from 1; 0 for never
    log : what was done so far: the kind of operation and the file
    """

    folder: Path
    fault: Fault
    at: int
    log: list[str] = field(default_factory=list)
    _unflushed: set[int] = field(default_factory=set)
    _renamed: list[tuple[Path, Path, bytes | None]] = field(default_factory=list)

    def covers(self, path: Any) -> bool:
        """Whether an operation on the path, or the open file, counts."""
        return _path_of(path).is_relative_to(self.folder)

    def count(self, kind: str, path: Any) -> None:
        """An operation is about to be done."""
        self.log.append(f"{kind} {_path_of(path).relative_to(self.folder)}")
        if not self.at or len(self.log) < self.at:
            return
        if self.fault is Fault.FULL_DISK:
            if kind != "remove":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return
        if self.fault is Fault.POWER_FAILURE:
            self._lose()
        os._exit(KILLED)

    def _lose(self) -> None:
        """What a power failure takes."""
        self.at = 0
        for path in self.folder.rglob("*"):
            if path.stat().st_ino in self._unflushed:
                os.truncate(path, 0)
        for source, target, before in reversed(self._renamed):
            target.rename(source)
            if before is not None:
                target.write_bytes(before)

    def writes(self, handle: int) -> None:
        """A file's content is about to change."""
        self.count("write", handle)
        self._unflushed.add(os.fstat(handle).st_ino)

    def flushes(self, handle: int) -> None:
        """A file's content, or a folder's names, are about to be safe."""
        self.count("flush", handle)
        self._unflushed.discard(os.fstat(handle).st_ino)
        folder = _path_of(handle)
        self._renamed = [entry for entry in self._renamed if entry[1].parent != folder]

    def renames(self, source: Path, target: Path) -> None:
        """A file is about to have another name."""
        self.count("rename", target)
        before = target.read_bytes() if target.exists() else None
        self._renamed.append((source, target, before))

    def open(self, file: Any, mode: str = "r", *arguments: Any, **options: Any) -> IO[Any]:
        """`open`, whose files count their writes."""
        if not set(mode) & set("wax+") or isinstance(file, int) or not self.covers(file):
            return _OPEN(file, mode, *arguments, **options)
        assert "b" in mode, "what is not written as bytes has no writes that count"
        raw = _CountedFile(file, mode.replace("b", ""))
        raw.disk = self
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def os_open(self, path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        """`os.open`, which counts files that are made."""
        if flags & os.O_CREAT and self.covers(path):
            self.count("create", path)
        return _OS_OPEN(path, flags, *arguments, **options)

    def os_fsync(self, handle: int) -> None:
        """Counts only: no child takes the machine's cache with it."""
        if self.covers(handle):
            self.flushes(handle)

    def os_replace(self, source: Any, target: Any) -> None:
        """`os.replace`, counted."""
        if self.covers(target):
            self.renames(Path(source), Path(target))
        _OS_REPLACE(source, target)

    def os_unlink(self, path: Any, **options: Any) -> None:
        """`os.unlink`, counted."""
        if self.covers(path):
            self.count("remove", path)
        _OS_UNLINK(path, **options)

    def install(self) -> None:
        """Let all operations of this process go through the disk, for good."""
        patches: dict[ModuleType, dict[str, Callable[..., Any]]] = {
            io: {"open": self.open},
            builtins: {"open": self.open},
            os: {
                "open": self.os_open,
                "fsync": self.os_fsync,
                "replace": self.os_replace,
                "rename": self.os_replace,
                "unlink": self.os_unlink,
                "remove": self.os_unlink,
            },
        }
        for module, functions in patches.items():
            for name, function in functions.items():
                setattr(module, name, function)


def _path_of(path: Any) -> Path:
    if isinstance(path, int):
        return Path(f"/proc/self/fd/{path}").readlink()
    return Path(os.fsdecode(path))


class _CountedFile(io.FileIO):
    """A file whose writes count."""

    disk: Disk

    def write(self, content: Any) -> int:
        self.disk.writes(self.fileno())
        return super().write(content)


@dataclass(frozen=True)
class Outcome:
    """What came of a run in a child.

    Attributes
    ----------
    status : 0 if it went through, 1 after an error, `KILLED`
    log : of the operations; empty if it was killed
    error : the error as a command would print it
    """

    status: int
    log: tuple[str, ...] = ()
    error: str = ""

    def points(self) -> list[int]:
        """Operations to fail at: all, but the last of the writes to a file for all of them."""
        lengths = [len(list(same)) for _, same in groupby(self.log)]
        return list(accumulate(lengths))


def run_in_child(
    folder: Path, run: Callable[[], object], *, fault: Fault = Fault.KILL, at: int = 0
) -> Outcome:
    """Run something in a child whose operations below the folder fail at the given one."""
    with tempfile.TemporaryFile() as report:
        child = os.fork()
        if not child:
            _run_and_exit(Disk(folder, fault, at), run, report)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == KILLED:
            return Outcome(status)
        report.seek(0)
        log, error = json.load(report)
    return Outcome(status, tuple(log), error)


def _run_and_exit(disk: Disk, run: Callable[[], object], report: IO[bytes]) -> None:
    """In the child: run, report, end without any of the parent's clean-up."""
    signal.alarm(_PATIENCE_SECONDS)  # a child that hangs is killed, and its status is no good one
    status, error = 0, ""
    try:
        disk.install()
        run()
    except (QcnpeError, OSError) as caught:
        status, error = 1, one_line(caught)
    except BaseException:
        status, error = 2, traceback.format_exc()
    report.write(json.dumps([disk.log, error]).encode())
    report.flush()
    os._exit(status)
