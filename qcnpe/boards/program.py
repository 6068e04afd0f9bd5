"""Loads a bitstream into a board."""

import subprocess
from pathlib import Path

from qcnpe.boards.build import BuildError, find_tool
from qcnpe.boards.catalog import Board

UDEV_RULE = 'SUBSYSTEM=="usb", ATTRS{idVendor}=="0403", MODE="0660", TAG+="uaccess"'
"""Lets the person who sits at the machine use the boards' USB chips."""

_HINT = (
    "no permission for the USB device: as root, write this line to"
    f" /etc/udev/rules.d/53-fpga.rules, run `udevadm control --reload`, and plug the board in"
    f" again: {UDEV_RULE}"
)

_NO_PERMISSION = ("permission", "libusb_error_access", "unable to open ftdi", "-4)", "-8)")


def program(board: Board, bitstream: Path) -> str:
    """Load a bitstream into the board's FPGA, where it stays until the power goes.

    Returns
    -------
    What the loader said.

    Raises
    ------
    BuildError
        If there is no bitstream, no loader, no board or no permission; says what to do.
    """
    if not bitstream.is_file():
        raise BuildError(
            f"{bitstream}: no bitstream; run `make bitstream BOARD={board.name}` first"
        )
    try:
        loader = find_tool("openFPGALoader")
    except BuildError:
        raise BuildError(
            "openFPGALoader is not installed: apt-get install openfpgaloader"
        ) from None
    call = [loader, "-b", board.loader, str(bitstream)]
    run = subprocess.run(call, capture_output=True, text=True, check=False)
    said = " ".join((run.stdout + run.stderr).split())
    if run.returncode:
        hint = _HINT if any(word in said.lower() for word in _NO_PERMISSION) else said
        raise BuildError(f"{board.title}: {hint or 'the loader failed'}; is the board plugged in?")
    return said
