"""What the two commands with subcommands share: options, version, completion."""

from enum import Enum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress and no table.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

ProcessesOption = Annotated[
    int, typer.Option(min=1, help="Working processes on this machine (extra cluster).")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        help="Address of a scheduler of dask.distributed, whose workers are used instead."
    ),
]

PACKAGE = "axnn"
"""The distribution that contains both commands."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # slow to import, and seldom needed

        print(f"{PACKAGE} {version(PACKAGE)}")
        raise typer.Exit


class CommandGroup(TyperGroup):
    """A command with subcommands, whose help gives the first paragraph of each in full."""

    def format_commands(self, *arguments: Any) -> None:
        """Write the list of subcommands."""
        for command in self.commands.values():
            command.short_help = (command.help or "").partition("\n\n")[0]
        super().format_commands(*arguments)


def make_cli(name: str, description: str, group: type[CommandGroup] = CommandGroup) -> typer.Typer:
    """A command with subcommands, `--version`, and completion for shells.

    Parameters
    ----------
    name : of the command
    description : first lines of its help
    group : class of the command, which finds its subcommands
    """
    cli = typer.Typer(
        name=name,
        cls=group,
        help=description,
        no_args_is_help=True,
        rich_markup_mode=None,  # Rich's help takes longer to import than all else that it needs
        pretty_exceptions_enable=False,
    )

    @cli.callback()
    def options(
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=_show_version, is_eager=True, help="Print the version."
            ),
        ] = False,
    ) -> None:
        """Options of the command itself."""

    return cli


class Top(Enum):
    """What is around an engine."""

    STREAM = "stream"
    AUTONOMOUS = "autonomous"


TopOption = Annotated[
    Top,
    typer.Option(
        help="stream: a host makes the engine's streams; autonomous: the engine has memories."
    ),
]
