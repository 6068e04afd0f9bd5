"""The `axnn` command: every step of the chain over a run folder."""

from axnn.cli.app import cli
from qcnpe.command_line import command

# isort: split
# In this order the help lists the commands.
from axnn.cli import networks  # noqa: F401, adds its commands

# isort: split
from axnn.cli import method  # noqa: F401

# isort: split
from axnn.cli import experiments  # noqa: F401

# isort: split
from axnn.cli import models  # noqa: F401

__all__ = ["cli", "main"]


def main() -> None:
    """Entry point: errors that a user can mend are one line on stderr and status 1."""
    with command("axnn"):
        cli()
