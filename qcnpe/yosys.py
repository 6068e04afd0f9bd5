"""Runs Yosys in a process of its own.

Names that Yosys makes up depend on what the process did before; a fresh one gives the same input
the same output, byte for byte. Its log stays out of the user's terminal.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.spec.errors import QcnpeError


class YosysError(QcnpeError):
    """Yosys stopped; the message is its own."""


def run_yosys(commands: Sequence[str]) -> str:
    """Run commands one after another; returns the log.

    Raises
    ------
    YosysError
        With the line in which Yosys says what is wrong.
    """
    with TemporaryDirectory() as folder:
        script = Path(folder, "script.ys")
        script.write_text("\n".join(commands) + "\n")
        run = subprocess.run(
            [sys.executable, "-m", __name__, str(script)],
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode != 0:
        log = [*run.stdout.splitlines(), *run.stderr.splitlines()]
        found = [line for line in log if line.startswith("ERROR")]
        raise YosysError(f"Yosys: {(found or log or ['no output'])[-1]}")
    return run.stdout


def _main() -> None:
    from pyosys import libyosys  # takes half a second, which only this process should pay

    libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())


if __name__ == "__main__":
    _main()
