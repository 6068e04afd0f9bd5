"""Runs Yosys in a process of its own.

Names that Yosys makes up depend on what the process did before; a fresh one gives the same input
the same output, byte for byte. Its log stays out of the user's terminal.
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

    The package is found, not imported: imported, it lets libraries that are loaded later share
    their symbols, and matplotlib's may then fail.

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
    """A file of the working folder, as an option of Yosys' pass `abc` must name it.

    Yosys makes a relative name absolute and has ABC and a shell read it, which take quotes and
    dollar signs for their own. The name by way of the process, where the system has one, is
    absolute already.
    """
    return str(_OWN_FOLDER / name) if _OWN_FOLDER.exists() else name


def run_yosys(commands: Sequence[str], folder: Path, *, log: Path | None = None) -> str:
    """Run commands one after another; returns what Yosys says.

    Parameters
    ----------
    commands : they name files by plain names in the folder, since Yosys starts ABC by a shell
    folder : working folder, a private one
    log : file for what Yosys says; default: one that is kept only if it fails

    Raises
    ------
    ToolError
        With the line in which Yosys says what is wrong.
    """
    (folder / _SCRIPT).write_text("\n".join(commands) + "\n")
    return run("Yosys", [sys.executable, _PROCESS, _SCRIPT], folder, log=log).stdout
