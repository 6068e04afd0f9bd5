"""The octet stream between a host and a board, whatever carries it."""

from typing import Protocol

from qcnpe.spec.errors import TransportError


class PortError(TransportError):
    """The port cannot be opened, or the board behind it is gone; nothing is sent again."""


class Port(Protocol):
    """A way for octets to a board and back; octets may be lost or changed.

    Every method raises `PortError`, and no other exception, if the port fails. The port is closed
    then; `open` opens it again.

    Attributes
    ----------
    name : what a user calls the port
    """

    name: str

    def open(self) -> None:
        """Open the port if it is closed."""

    def read(self) -> bytes:
        """Return the octets that have arrived; wait for the first one, but not for long."""

    def write(self, octets: bytes, /) -> None:
        """Send octets."""

    def close(self) -> None:
        """Release the port."""
