"""The `qcnpe` command: generates, simulates and synthesises engines, and compiles networks."""

from qcnpe.cli import engines, networks, synthesis
from qcnpe.cli.app import cli
from qcnpe.command_line import command

__all__ = ["cli", "engines", "main", "networks", "synthesis"]


def main() -> None:
    """Entry point: errors that a user can correct are one line on stderr and status 1."""
    with command("qcnpe"):
        cli()
