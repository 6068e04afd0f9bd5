"""Loads a bitstream into a board."""

from pathlib import Path

from qcnpe.boards.build import BuildError
from qcnpe.boards.catalog import Board
from qcnpe.tools.find import LOADER
from qcnpe.tools.process import Process

UDEV_RULE = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="0403", MODE="0660", TAG+="uaccess"'
"""Lets the person who sits at the machine use the boards' USB chips."""

_HINT = (
    "no permission for the USB device: as root, write this line to"
    f" /etc/udev/rules.d/53-fpga.rules, run `udevadm control --reload`, and plug the board in"
    f" again: {UDEV_RULE}"
)

_LIMIT_S = 300
"""Time limit of the loader, in seconds; the slowest cable needs half a minute."""

_NO_PERMISSION = ("permission", "libusb_error_access", "unable to open ftdi", "-4)", "-8)")


def program(board: Board, bitstream: Path) -> str:
    """Load a bitstream into the board's FPGA, where it stays until power-off.

    Returns
    -------
    The output of the loader.

    Raises
    ------
    ToolMissingError
        If there is no loader.
    BuildError
        If there is no bitstream, no board or no permission; says what to do.
    """
    if not bitstream.is_file():
        raise BuildError(f"{bitstream}: no bitstream; run `qcnpe bitstream {board.name}` first")
    loader = LOADER.require()
    call = [loader, "-b", board.loader, bitstream.name]
    with Process(LOADER.name, call, bitstream.parent) as process:
        output = process.wait(_LIMIT_S)
        said = " ".join((output.stdout + output.stderr).split())
        if any(word in said.lower() for word in _NO_PERMISSION) and output.status:
            raise BuildError(f"{board.title}: {_HINT}")
        if output.status:
            raise BuildError(f"{board.title}: {process.failure()}; is the board plugged in?")
    return said
