"""Ctrl-C and SIGTERM end a command in order: its tools are ended, its temporary files deleted."""

import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the polite end, the end of the terminal."""


class Stopped(BaseException):
    """A signal asks the command to end; like KeyboardInterrupt, it is no error.

    Parameters
    ----------
    signal_number : the signal's number
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.status = 128 + signal_number


@dataclass
class _State:
    """How far the end of the command has come; only the main thread, which gets signals, writes."""

    deferring: int = 0
    pending: int | None = None
    is_ending: bool = False


_state = _State()


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.deferring:
        _state.pending = number
    elif _state.is_ending:
        # Cleaning up takes seconds at the most; who cannot wait for it presses a third time.
        signal.signal(number, signal.SIG_DFL)
    else:
        _state.is_ending = True
        raise Stopped(number)


@contextmanager
def stops_on_signals(signals: Collection[signal.Signals] = _SIGNALS) -> Iterator[None]:
    """Let signals raise `Stopped` in the block, once.

    It does nothing but in the main thread, where Python handles signals.

    Parameters
    ----------
    signals : by default Ctrl-C, SIGTERM and the end of the terminal
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
    """Put `Stopped` off until the end of the block, so that no process that it starts gets lost."""
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
