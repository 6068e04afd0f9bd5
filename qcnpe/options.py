"""What the two commands with subcommands share: options, version, completion."""

from importlib.metadata import version
from typing import Annotated

import typer

QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress and no table.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

PACKAGE = "axnn"
"""The distribution that contains both commands."""


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"{PACKAGE} {version(PACKAGE)}")
        raise typer.Exit


def make_cli(name: str, description: str) -> typer.Typer:
    """A command with subcommands, `--version`, and completion for shells."""
    cli = typer.Typer(
        name=name,
        help=description,
        no_args_is_help=True,
        rich_markup_mode="rich",
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
