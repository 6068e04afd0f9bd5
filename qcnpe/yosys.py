"""Runs Yosys in a process of its own.

Names that Yosys generates depend on what the process did before; in a new process the same input
gives the same output, byte for byte. The log of Yosys does not appear on the user's terminal.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from qcnpe.tools.process import run

_PROCESS = Path(__file__).with_name("yosys_process.py")
_SCRIPT = "script.ys"
_OWN_FOLDER = Path("/proc/self/cwd")


def yosys_folder() -> Path:
    """The folder of the installed Yosys, with its programs and its `share`.

    The package is not imported: importing it makes libraries that are loaded later share their
    symbols, and those of matplotlib may then fail.

    Raises
    ------
    ModuleNotFoundError
        If Yosys is not installed.
    """
    package = find_spec("pyosys")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'pyosys'", name="pyosys")
    return Path(package.origin).parent


def for_abc(name: str) -> str:
    """Path of a file of the working folder, for an option of Yosys' pass `abc`.

    Yosys makes a relative path absolute and passes it to ABC and to a shell, which interpret quotes
    and dollar signs in it. The path through /proc, where the system has it, is absolute already.
    """
    return str(_OWN_FOLDER / name) if _OWN_FOLDER.exists() else name


def run_yosys(commands: Sequence[str], folder: Path, *, log: Path | None = None) -> str:
    """Run commands one after another; returns the output of Yosys.

    Parameters
    ----------
    commands : with plain names of files in the folder, since Yosys starts ABC through a shell
    folder : working folder, a private one
    log : file for the output of Yosys; default: one that is kept only if Yosys fails

    Raises
    ------
    ToolError
        With the line of the output that names the error.
    """
    (folder / _SCRIPT).write_text("\n".join(commands) + "\n")
    return run("Yosys", [sys.executable, _PROCESS, _SCRIPT], folder, log=log).stdout
