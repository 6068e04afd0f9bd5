"""A serial port as the way to a board."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import serial

from qcnpe.boards.port import PortError

try:
    from termios import error as TerminalError  # noqa: N812 - its name in the module is `error`
except ImportError:  # not a POSIX system
    TerminalError = OSError  # type: ignore[assignment, misc]

DEFAULT_BAUD = 3_000_000
"""Bits a second of the boards' bitstreams."""

READ_SECONDS = 0.05
"""Longest wait for the first octet of a read."""

_FAILURES = (OSError, ValueError, TypeError, TerminalError)
"""Exceptions of pyserial: not all are `serial.SerialException`.

`ValueError` is a rate that the port does not have, `TypeError` a port without a descriptor.
"""

Result = TypeVar("Result")


class SerialPort:
    """A serial port, 8 data bits, no parity, one stop bit; only one program may hold it.

    Parameters
    ----------
    name : path of the device, such as `/dev/ttyUSB0`
    baud : rate in bits a second
    write_timeout : seconds after which a port that takes no octets has failed

    Raises
    ------
    PortError
        If the port cannot be opened.
    """

    def __init__(self, name: str, *, baud: int = DEFAULT_BAUD, write_timeout: float = 10) -> None:
        self.name = name
        self._baud, self._write_timeout = baud, write_timeout
        self._serial: serial.Serial | None = None
        self.open()

    def open(self) -> None:
        """Open the port if it is closed."""
        if self._serial is not None:
            return
        try:
            self._serial = serial.Serial(
                self.name,
                self._baud,
                timeout=READ_SECONDS,
                write_timeout=self._write_timeout,
                exclusive=True,
            )
        except _FAILURES as error:
            raise PortError(
                f"{self.name} cannot be opened ({_reason(error)}); is the board plugged in, and no"
                " other program using it?"
            ) from error

    def read(self) -> bytes:
        """Return the octets that have arrived; wait at most `READ_SECONDS` for the first one."""
        return self._attempt(lambda port: port.read(max(1, port.in_waiting)))

    def write(self, octets: bytes, /) -> None:
        """Send octets."""
        self._attempt(lambda port: port.write(octets))

    def _attempt(self, action: Callable[[serial.Serial], Result]) -> Result:
        """Use the port; close it if that fails, since the device may return under another path."""
        if self._serial is None:
            raise PortError(f"{self.name} is closed; open it again")
        try:
            return action(self._serial)
        except _FAILURES as error:
            self.close()
            raise PortError(
                f"{self.name}: the board is gone ({_reason(error)}); plug it in and begin again"
            ) from error

    def close(self) -> None:
        """Release the port."""
        port, self._serial = self._serial, None
        if port is not None:
            with suppress(*_FAILURES):  # of a device that is no longer there
                port.close()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
