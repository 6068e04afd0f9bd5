"""Searches for faults in the readers of files with a coverage-guided fuzzer (Atheris).

`python -m tests.mutants.fuzz --seconds 60` fuzzes every kind of file for a minute. What is found is
in the folder of the kind, as `crash-...`, `timeout-...` or `oom-...`, and the status is not zero.
The fuzzer goes on from what it has kept there before.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from qcnpe.command_line import command
from qcnpe.spec.errors import ConfigError, QcnpeError
from tests.mutants.kinds import KINDS

_NAMES = tuple(kind.name for kind in KINDS)


def passes(name: str, folder: Path, seconds: int) -> bool:
    """Fuzz a kind of file in another process; returns whether there was no fault."""
    print(f"fuzzing {name} for {seconds} s", flush=True)
    place = folder / name.replace(" ", "-")
    words = [sys.executable, "-m", "tests.mutants.fuzz_kind", name, str(place), str(seconds)]
    return subprocess.run(words, check=False).returncode == 0


def main() -> None:
    """Read the arguments; errors that a user can correct are one line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.fuzz", description=__doc__)
    parser.add_argument("--kind", action="append", help="only this one; may be repeated")
    parser.add_argument("--seconds", type=int, default=60, help="for each kind (60)")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="of what is kept")
    options = parser.parse_args()
    names = options.kind or _NAMES
    if unknown := sorted(set(names) - set(_NAMES)):
        raise ConfigError(f"kind must be one of {', '.join(_NAMES)}, not {', '.join(unknown)}")
    failed = [name for name in names if not passes(name, options.folder, options.seconds)]
    if failed:
        raise QcnpeError(f"faults in reading {', '.join(failed)}: see {options.folder}")


if __name__ == "__main__":
    with command("fuzz"):
        main()
