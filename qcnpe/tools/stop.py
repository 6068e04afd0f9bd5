"""Clean exit on Ctrl-C and SIGTERM: a command's tools are ended and its temporary files deleted."""

import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the usual request to terminate, the closing of the terminal."""


class Stopped(BaseException):
    """A signal requests the command to end; like KeyboardInterrupt, it is not an error.

    Parameters
    ----------
    signal_number : the signal's number
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.status = 128 + signal_number


@dataclass
class _State:
    """State of the command's end; only the main thread, which receives signals, writes it."""

    deferring: int = 0
    pending: int | None = None
    is_ending: bool = False


_state = _State()


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.deferring:
        _state.pending = number
    elif _state.is_ending:
        # Cleaning up takes a few seconds at most; a third signal ends the process at once.
        signal.signal(number, signal.SIG_DFL)
    else:
        _state.is_ending = True
        raise Stopped(number)


@contextmanager
def stops_on_signals(signals: Collection[signal.Signals] = _SIGNALS) -> Iterator[None]:
    """Let signals raise `Stopped` in the block, once.

    Only in the main thread, where Python handles signals; in other threads it does nothing.

    Parameters
    ----------
    signals : by default Ctrl-C, SIGTERM and the closing of the terminal
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.is_ending, _state.pending = False, None
    before = {number: signal.signal(number, _handle) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer `Stopped` until the end of the block, so that a process started in it is not lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.deferring += 1
    try:
        yield
    finally:
        _state.deferring -= 1
        number, _state.pending = _state.pending, None
        if number is not None:
            _handle(number, None)
