"""The `axnn` command: every step of the chain over a run folder."""

from axnn.cli.app import cli
from qcnpe.command_line import command

__all__ = ["cli", "main"]


def main() -> None:
    """Entry point: errors that a user can mend are one line on stderr and status 1."""
    with command("axnn"):
        cli()
